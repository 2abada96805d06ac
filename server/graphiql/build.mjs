// Bundles page.jsx and the editor's workers into the folder that is given: `node build.mjs FOLDER`. Each file's name
// holds a hash of its content, so that browsers may keep it for ever; manifest.json says which ones the page begins with.

import { readdir, readFile, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const assets = path.resolve(process.argv[2]);

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
};

// graphiql/style.css holds the editor's styles already; bundled again they would land in files that nothing loads.
const withoutEditorStyles = {
  name: "without-editor-styles",
  setup({ onLoad }) {
    onLoad({ filter: /monaco-editor[\\/].*\.css$/ }, () => ({ contents: "", loader: "empty" }));
  },
};

const options = {
  absWorkingDir: here,
  bundle: true,
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none", // LICENSES.txt holds the licences, whole
  logLevel: "warning",
  metafile: true,
  minify: true,
  outdir: assets,
  plugins: [withoutEditorStyles],
  target: ["chrome109", "firefox115", "safari16"],
};

/** The licences of all packages of which something was bundled, each with its name and version. */
async function licences(results) {
  const folders = new Set();
  for (const input of results.flatMap((result) => Object.keys(result.metafile.inputs))) {
    const found = input.match(/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/);
    if (found) folders.add(found[0]);
  }
  const texts = [];
  for (const folder of [...folders].sort()) {
    const about = JSON.parse(await readFile(path.join(here, folder, "package.json"), "utf8"));
    const names = (await readdir(path.join(here, folder))).sort();
    const files = names.filter((name) => /^(licen[sc]e|copying|notice|third)/i.test(name));
    const said = await Promise.all(files.map((name) => readFile(path.join(here, folder, name), "utf8")));
    texts.push([`${about.name} ${about.version} (${about.license})`, ...said.map((text) => text.trim())].join("\n\n"));
  }
  return texts.join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}

await rm(assets, { recursive: true, force: true });
await mkdir(assets, { recursive: true });
const workers = await build({ ...options, entryNames: "[name]-[hash]", entryPoints: WORKERS, format: "iife" });
const workerNames = Object.keys(workers.metafile.outputs).map((name) => path.basename(name));
const workerOf = (name) => workerNames.find((file) => file.startsWith(`${name}-`));
const page = await build({
  ...options,
  chunkNames: "chunk-[hash]",
  define: {
    ...options.define,
    WORKERS: JSON.stringify(Object.fromEntries(Object.keys(WORKERS).map((name) => [name, workerOf(name)]))),
  },
  entryNames: "[name]-[hash]",
  entryPoints: ["page.jsx"],
  format: "esm",
  jsx: "automatic",
  splitting: true,
});
const isThePage = ([, made]) => made.entryPoint === "page.jsx";
const [script, { cssBundle: style }] = Object.entries(page.metafile.outputs).find(isThePage);
await writeFile(path.join(assets, "LICENSES.txt"), await licences([workers, page]));
const manifest = { script: path.basename(script), style: path.basename(style) };
await writeFile(path.join(assets, "manifest.json"), `${JSON.stringify(manifest)}\n`);
