// The list of ready examples beside the editors; each opens in a tab of its own.

import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";

import { lastCustomer } from "./fetcher.js";
import { WaysIn } from "./who.jsx";

/** What the server wrote into the page: [{ name, about, query, variables }]. */
const EXAMPLES = JSON.parse(document.getElementById("graphiql").dataset.examples);

/** A UUID of version 4. `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Variables with what must be new each time filled in. */
const filledIn = (variables) =>
  variables
    .replaceAll("<a new UUID>", uuid)
    .replaceAll("<now>", () => new Date().toISOString())
    .replaceAll("<the customer found last>", (unknown) => lastCustomer ?? unknown);

/** The tabs of a first visit. */
export function firstTabs(headers) {
  const first = EXAMPLES.filter((example) => example.first);
  return first.map(({ query, variables }) => ({ query, variables: filledIn(variables), headers }));
}

function Examples() {
  const { addTab } = useGraphiQLActions();
  const editors = useGraphiQL(({ queryEditor, variableEditor }) => ({ queryEditor, variableEditor }));
  const open = ({ query, variables }) => {
    addTab();
    editors.queryEditor.setValue(query);
    editors.variableEditor.setValue(filledIn(variables));
  };
  return (
    <section aria-label="Examples">
      <h2 className="examples-title">Examples</h2>
      <WaysIn />
      <p className="examples-hint">
        Agents say why they look: in <code>Steadylight-Reason</code> under Headers. It is noted.
      </p>
      <ul className="examples">
        {EXAMPLES.map((example) => (
          <li key={example.name}>
            <button type="button" onClick={() => open(example)}>
              <strong>{example.name}</strong>
              <span>{example.about}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const Icon = () => (
  <svg height="1em" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
    <path d="M4 5h16M4 12h16M4 19h10" strokeLinecap="round" />
  </svg>
);

export const EXAMPLES_PLUGIN = { title: "Examples", icon: Icon, content: Examples };
