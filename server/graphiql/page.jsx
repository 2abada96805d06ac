// The whole page: GraphiQL with the explorer, the history and the examples.

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { useGraphiQL } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";
import { EXAMPLES_PLUGIN, firstTabs } from "./examples.jsx";
import { credentialOf, fetcherWith } from "./fetcher.js";
import { Who } from "./who.jsx";

globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url)),
};

const HEADERS = '{\n  "Steadylight-Reason": "",\n  "Authorization": "Bearer "\n}';
const TABS = firstTabs(HEADERS);
const PLUGINS = [EXAMPLES_PLUGIN, explorerPlugin(), HISTORY_PLUGIN];

/** The credential in the text of a headers editor; null while it is being typed. */
function typedCredential(text) {
  try {
    return credentialOf(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Takes the error of a schema that could not be fetched off the page once there is a key that can. */
function OutdatedError() {
  const fetchError = useGraphiQL((state) => state.fetchError);
  const responseEditor = useGraphiQL((state) => state.responseEditor);
  const shown = useRef(null);
  useEffect(() => {
    if (shown.current && !fetchError && responseEditor?.getValue() === shown.current) responseEditor.setValue("");
    shown.current = fetchError;
  }, [fetchError, responseEditor]);
  return null;
}

function Page() {
  // The key last typed, in any tab, serves all of them. It is held here only, and gone when the page is left.
  const [credential, setCredential] = useState(null);
  // A new fetcher makes GraphiQL ask for the schema again, which is only shown to those with a key.
  const fetcher = useMemo(() => fetcherWith(credential), [credential]);
  return (
    <GraphiQL
      defaultEditorToolsVisibility="headers"
      defaultHeaders={HEADERS}
      defaultTabs={TABS}
      fetcher={fetcher}
      onEditHeaders={(text) => setCredential((known) => typedCredential(text) ?? known)}
      plugins={PLUGINS}
      shouldPersistHeaders={false}
      // Queries and answers name customers: they are kept for as long as the browser's tab is open, not on its disk.
      storage={sessionStorage}
      visiblePlugin={EXAMPLES_PLUGIN}
    >
      <GraphiQL.Logo>
        <span className="graphiql-logo-link">Steadylight</span>
        <Who credential={credential} />
      </GraphiQL.Logo>
      <OutdatedError />
    </GraphiQL>
  );
}

createRoot(document.getElementById("graphiql")).render(<Page />);
