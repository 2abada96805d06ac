// @ts-check
// A customer's own page: signs in, asks Steadylight for what is theirs, and follows what happens next. No build: the types
// are comments, made from the contract (../front-end.md). The token is kept in this tab's memory, and goes away with it.

/** @import { ActivitySubscription, ActivitySubscriptionVariables, MeQuery } from "./types" */
/** @typedef {NonNullable<MeQuery["viewer"]["customer"]>} Customer */
/** @typedef {Customer["actions"]["nodes"][number]} Action */

const text = async (/** @type {string} */ name) => (await fetch(name)).text();

/** @type {{ steadylight: string, identity: string }} */
const settings = await (await fetch("settings.json")).json();
const ME = await text("me.graphql");
const ACTIVITY = await text("activity.graphql");

/** @type {Map<string, Action>} */
const actions = new Map();
/** @type {string | undefined} */
let token;

/** Trades the password for a token. @param {string} customer @param {string} password */
async function signIn(customer, password) {
  const answer = await fetch(`${settings.identity}/token`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ customer, password, audience: "own-page" }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  token = told.token;
}

/** The customer whom the token speaks for; null when nothing of theirs was ever recorded. */
async function me() {
  const answer = await fetch(`${settings.steadylight}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: ME }),
  });
  /** @type {{ data?: MeQuery | null, errors?: { message: string }[] }} */
  const { data, errors } = await answer.json();
  if (!data || errors) throw new Error(errors?.[0]?.message ?? "No answer.");
  return data.viewer.customer ?? null;
}

/** Shows each new action as it happens; the socket's end shows, too. @param {string} id */
function follow(id) {
  /** @type {ActivitySubscriptionVariables} */
  const variables = { me: id };
  const address = `${settings.steadylight.replace("http", "ws")}/graphql`;
  const socket = new WebSocket(address, "graphql-transport-ws");
  const send = (/** @type {object} */ message) => socket.send(JSON.stringify(message));
  // A browser cannot put a header on a WebSocket, so the token is the first thing that is sent over it.
  socket.onopen = () => send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } });
  socket.onclose = () => live(false);
  socket.onmessage = async ({ data }) => {
    /** @type {{ type: string, payload?: { data?: ActivitySubscription | null } }} */
    const { type, payload } = JSON.parse(data);
    if (type === "ping") send({ type: "pong" });
    if (type === "error" || type === "complete") socket.close();
    if (type === "connection_ack") {
      send({ type: "subscribe", id: "1", payload: { query: ACTIVITY, variables } });
      keep((await me())?.actions.nodes ?? [], true); // what happened between the first question and the subscription
      show();
      live(true);
    }
    if (type === "next" && payload?.data) {
      keep([payload.data.customerActivity], true);
      show();
    }
  };
}

/** @param {Action[]} some @param {boolean} isNew */
function keep(some, isNew = false) {
  for (const action of some.filter(({ id }) => !actions.has(id))) {
    actions.set(action.id, action);
    if (isNew) fresh.add(action.id);
  }
}

/** Ids of what happened while the page was open. @type {Set<string>} */
const fresh = new Set();

/** @param {boolean} is */
function live(is) {
  element("live").textContent = is ? "● live" : "○ not live";
}

/** The actions, the latest first. Only text is put into the page, never HTML: other channels wrote it. */
function show() {
  const sorted = [...actions.values()].sort((one, other) => (one.at < other.at ? 1 : -1));
  element("actions").replaceChildren(
    ...sorted.map((action) => {
      const line = document.createElement("li");
      if (fresh.has(action.id)) line.className = "new";
      const at = document.createElement("time");
      at.dateTime = at.textContent = action.at.slice(0, 19).replace("T", " ");
      const told = Object.entries(action.properties ?? {}).map(([name, value]) => `${name} ${value}`);
      line.append(at, span(action.channel), span(action.type), span(told.join(", "), "told"));
      return line;
    }),
  );
}

/** @param {string} content @param {string} name */
function span(content, name = "") {
  const made = document.createElement("span");
  made.textContent = content;
  made.className = name;
  return made;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id}.`);
  return found;
}

element("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
  const problem = element("problem");
  problem.hidden = true;
  try {
    await signIn(String(given.get("customer")), String(given.get("password")));
    const customer = await me();
    const known = customer?.identifiers ?? [];
    element("identifiers").replaceChildren(...known.map(({ kind, value }) => span(`${kind} ${value}`)));
    keep(customer?.actions.nodes ?? []);
    show();
    element("sign-in").hidden = true;
    element("mine").hidden = element("sign-out").hidden = false;
    if (!customer) throw new Error("Nothing is recorded of you yet.");
    follow(customer.id);
  } catch (error) {
    problem.textContent = error instanceof Error ? error.message : String(error);
    problem.hidden = false;
  }
});
element("sign-in").querySelector("button")?.removeAttribute("disabled"); // from now on, the form is ours

// Whatever this tab knew goes away with the page: the token, the socket, what is shown.
element("sign-out").addEventListener("click", () => location.reload());
