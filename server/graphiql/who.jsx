// Who is signed in, beside the page's name: with a way out, or with the ways in.

import { useGraphiQL } from "@graphiql/react";
import { useEffect, useState } from "react";

import { ask } from "./fetcher.js";

const QUERY = "{ viewer { role name channel } }";

/** The viewer, by the typed credential or else by the cookie; null for nobody. */
async function viewerBy(credential) {
  const answer = await ask({ query: QUERY }, {}, credential);
  return answer.data?.viewer ?? null;
}

async function signOut() {
  await fetch(new URL("sign-out", document.baseURI), { method: "POST", credentials: "same-origin" });
  // The queries there name customers: whoever comes next should not read them. GraphiQL writes till the page is left.
  addEventListener("pagehide", () => sessionStorage.clear());
  location.reload();
}

export function Who({ credential }) {
  const [viewer, setViewer] = useState(undefined); // undefined until it is known
  useEffect(() => {
    let isLatest = true;
    const show = (found) => isLatest && setViewer(found);
    viewerBy(credential).then(show, () => show(null));
    return () => {
      isLatest = false;
    };
  }, [credential]);
  if (viewer === undefined) return null;
  if (viewer === null) return <span className="who">Nobody is signed in</span>;
  return (
    <span className="who">
      {viewer.name ?? viewer.channel ?? "a key"} ({viewer.role}){" "}
      {credential === null && (
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      )}
    </span>
  );
}

/** How to get in, until somebody is. */
export function WaysIn() {
  const isKnown = useGraphiQL(({ schema, isIntrospecting }) => Boolean(schema) || isIntrospecting);
  if (isKnown) return null;
  return (
    <p className="examples-hint">
      Open a sign-in link: <code>steadylight admin link</code> prints one. Or type a key under Headers, after{" "}
      <code>Bearer</code>; it serves every tab until this page is left.
    </p>
  );
}
