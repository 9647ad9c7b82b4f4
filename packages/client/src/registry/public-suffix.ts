import { isIP } from "node:net";

/** Names that countries have below their own, and sell below those. */
const SECOND_LEVEL = new Set(
  `ab ac ad adv art asn asso biz bc co com cri csiro ed edu eng firm gc geek gen go gob gok gos gou gouv gov govt gr gv
  health id idf idv in ind info int iwi kiwi lg ltd maori me med mi mil mod mob mp muni ne net nhs nic nom nom ns nsw on or
  org parliament pe plc police pp prd presse priv pro pub qc qld re res sa sch school sld tas tm tv vic wa web`.split(
    /\s+/,
  ),
);

/** Countries that sell below two-letter names of their states and provinces. */
const BY_REGION = new Set(["br", "ca", "cn", "it", "no", "us"]);

/** Where unrelated people have names side by side: hosters, tunnels, dynamic names, resellers. */
const SHARED = [
  "amazonaws.com amazonaws.com.cn awsapprunner.com cloudfront.net elasticbeanstalk.com on.aws",
  "azure-api.net azurecontainer.io azurecr.cn azurecr.io azurecr.us azureedge.net azurefd.net azurestaticapps.net",
  "azurewebsites.net cloudapp.azure.com cloudapp.net trafficmanager.net windows.net",
  "appspot.com cloudfunctions.net firebaseapp.com pkg.dev run.app web.app",
  "pages.dev trycloudflare.com workers.dev",
  "github.dev github.io githubpreview.dev gitlab.io gitpod.io repl.co replit.app replit.dev",
  "deno.dev fly.dev glitch.me herokuapp.com netlify.app now.sh onrender.com railway.app surge.sh up.railway.app vercel.app",
  "digitaloceanspaces.com linodeobjects.com ondigitalocean.app scw.cloud your-server.de",
  "jfrog.io sonatype.app",
  "duckdns.org dyndns.org eu.org freeddns.org hopto.org loca.lt localtunnel.me ngrok-free.app ngrok.app ngrok.dev ngrok.io no-ip.org",
  "nip.io serveo.net sslip.io traefik.me ts.net xip.io zapto.org",
  "blogspot.com co.com de.com eu.com gb.net jp.net jpn.com se.net uk.com uk.net us.com us.org za.com",
]
  .join(" ")
  .split(" ");

/**
 * Whether both names lie below one domain that a single owner has: `example.com`, `example.co.uk`; not `com`, `co.uk`, `github.io`. By a short
 * list of what is known to be shared, and not by the whole Public Suffix List: what is missing in it lets names through that the registry's
 * own word, over TLS, has brought up.
 */
export function shareDomain(a: string, b: string): boolean {
  if (isIP(a) !== 0 || isIP(b) !== 0) return false;
  const [left, right] = [a.split(".").toReversed(), b.split(".").toReversed()];
  let common = 0;
  while (common < left.length && common < right.length && left[common] === right[common]) common++;
  return common > suffixLabels(left);
}

/** How many labels belong to everybody. @param labels from the right: `["uk", "co", "example"]`. */
function suffixLabels(labels: readonly string[]): number {
  const [top = "", second = ""] = labels;
  const name = labels.toReversed().join(".");
  const shared = SHARED.find((suffix) => name === suffix || name.endsWith(`.${suffix}`));
  if (shared !== undefined) return shared.split(".").length;
  const isCountry = top.length === 2;
  const isSold = SECOND_LEVEL.has(second) || (BY_REGION.has(top) && second.length === 2);
  return isCountry && isSold ? 2 : 1;
}
