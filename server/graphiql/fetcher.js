// Sends what is asked: queries and mutations over HTTP, subscriptions over graphql-transport-ws, both on /graphql of
// the server that the page came from.

import { Kind, OperationTypeNode, parse } from "graphql";
import { createClient } from "graphql-ws";

const URL_OF_THE_GRAPH = new URL("graphql", document.baseURI);

/** The credential among typed headers, as `Bearer <key>`; null where none, or only the word Bearer, was typed. */
export function credentialOf(headers) {
  const [, value] = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === "authorization") ?? [];
  return typeof value === "string" && /^Bearer\s+\S/i.test(value) ? value.trim() : null;
}

/** Typed headers as they travel: a reason in any language is percent-encoded, as no header can hold it otherwise. */
export function carried(typed) {
  const plain = ([name, value]) => [name, /^[ -~]*$/.test(value) ? String(value) : encodeURIComponent(value)];
  return Object.fromEntries(Object.entries(typed ?? {}).map(plain));
}

/** The id of the customer last shown in an answer; null before. */
export let lastCustomer = null;

/** A fetcher for GraphiQL. `credential` is sent where the tab at hand has none; without either, the cookie may do. */
export function fetcherWith(credential) {
  return (given, { headers } = {}) => {
    const authorization = credentialOf(headers) ?? credential;
    const operation = operationOf(given);
    const params = operation ? { ...given, operationName: operation.name?.value } : given;
    const isSubscription = operation?.operation === OperationTypeNode.SUBSCRIPTION;
    return isSubscription ? follow(params, headers, authorization) : ask(params, headers, authorization);
  };
}

/** The operation to run; undefined where the server will say what is wrong with the document.
 *
 * GraphiQL reads the document a moment after it changes: run at once, it still names the operation that was there.
 */
function operationOf({ query, operationName }) {
  try {
    const operations = parse(query).definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
    const named = operations.find((one) => one.name?.value === operationName);
    return named ?? (operations.length === 1 ? operations[0] : undefined);
  } catch {
    return undefined;
  }
}

/** The answer to one query or mutation. */
export async function ask(params, typed, authorization) {
  const headers = new Headers(carried(typed));
  headers.set("Content-Type", "application/json");
  headers.set("Accept", "application/graphql-response+json");
  headers.delete("Authorization");
  if (authorization) headers.set("Authorization", authorization);
  const body = JSON.stringify(params);
  const response = await fetch(URL_OF_THE_GRAPH, { method: "POST", credentials: "same-origin", headers, body });
  const answer = await response.json();
  lastCustomer = JSON.stringify(answer).match(/"(cus_[0-9a-f]{32})"/)?.[1] ?? lastCustomer;
  return answer;
}

/** Every event of a subscription. It ends with an error rather than connect again, which could hide missed events. */
function follow(params, typed, authorization) {
  const url = new URL(URL_OF_THE_GRAPH);
  url.protocol = url.protocol.replace("http", "ws");
  // A browser cannot set headers on a WebSocket, so they go into connection_init; the cookie it sends by itself.
  const ours = Object.entries(carried(typed)).filter(([name, value]) => /^steadylight-/i.test(name) && value);
  const connectionParams = Object.fromEntries(ours.map(([name, value]) => [name.toLowerCase(), value]));
  if (authorization) connectionParams.authorization = authorization;
  const client = createClient({ url: url.href, connectionParams, retryAttempts: 0 });
  return {
    subscribe(sink) {
      const error = (failure) => {
        const closed = failure instanceof CloseEvent;
        sink.error(closed ? new Error(`${failure.reason || "Closed"} (${failure.code})`) : failure);
      };
      const stop = client.subscribe(params, { next: sink.next, complete: sink.complete, error });
      return { unsubscribe: () => (stop(), client.dispose()) };
    },
  };
}
