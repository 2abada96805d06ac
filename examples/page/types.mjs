// Writes types.ts: the contract's types, and those of what this page's own operations return.
import { readFileSync, writeFileSync } from "node:fs";
import { codegen } from "@graphql-codegen/core";
import * as typescript from "@graphql-codegen/typescript";
import * as operations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";

const read = (path) => parse(readFileSync(new URL(path, import.meta.url), "utf8"));
// What the contract's own scalars are in JSON; anything else would be a mistake.
const documents = { ActionBatch: "object", ArticleDocument: "object", ContextDocument: "object", SearchDocument: "object" };
const scalars = { ...documents, Counter: "number", Date: "string", DateTime: "string" };

const types = await codegen({
  filename: "types.ts",
  schema: read("../../schema/schema.graphql"),
  documents: ["me.graphql", "activity.graphql"].map((location) => ({ location, document: read(location) })),
  plugins: [{ typescript: {} }, { operations: {} }],
  pluginMap: { typescript, operations },
  config: {
    scalars: { ...scalars, JSON: "Record<string, unknown>", VerdictBatch: "object" },
    strictScalars: true,
    enumsAsTypes: true,
    useTypeImports: true,
  },
});
writeFileSync(new URL("types.ts", import.meta.url), types);
