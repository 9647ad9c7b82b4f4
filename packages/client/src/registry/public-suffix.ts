import { isIP } from "node:net";

/** Second-level names under which countries sell domains. */
const SECOND_LEVEL = new Set(
  `ab ac ad adv art asn asso biz bc co com cri csiro ed edu eng firm gc geek gen go gob gok gos gou gouv gov govt gr gv
  health id idf idv in ind info int iwi kiwi lg ltd maori me med mi mil mod mob mp muni ne net nhs nic nom nom ns nsw on or
  org parliament pe plc police pp prd presse priv pro pub qc qld re res sa sch school sld tas tm tv vic wa web`.split(
    /\s+/,
  ),
);

/** Countries that sell domains under the two-letter names of their states and provinces. */
const BY_REGION = new Set(["br", "ca", "cn", "it", "no", "us"]);

/** Domains whose subdomains belong to unrelated owners: hosting, tunnels, dynamic DNS, resellers. */
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
 * Whether both names are in one domain that belongs to one owner: `example.com`, `example.co.uk`; not `com`,
 * `co.uk`, `github.io`. This uses a short list of shared domains, not the whole Public Suffix List. If a
 * shared domain is missing from the list, a name in it is accepted. Even then, only a registry itself can
 * name such a host, over TLS.
 */
export function shareDomain(a: string, b: string): boolean {
  if (isIP(a) !== 0 || isIP(b) !== 0) return false;
  const [left, right] = [a.split(".").toReversed(), b.split(".").toReversed()];
  let common = 0;
  while (common < left.length && common < right.length && left[common] === right[common]) common++;
  return common > suffixLabels(left);
}

/**
 * How many labels are a public suffix.
 *
 * @param labels from the right: `["uk", "co", "example"]`.
 */
function suffixLabels(labels: readonly string[]): number {
  const [top = "", second = ""] = labels;
  const name = labels.toReversed().join(".");
  const shared = SHARED.find((suffix) => name === suffix || name.endsWith(`.${suffix}`));
  if (shared !== undefined) return shared.split(".").length;
  const isCountry = top.length === 2;
  const isSold = SECOND_LEVEL.has(second) || (BY_REGION.has(top) && second.length === 2);
  return isCountry && isSold ? 2 : 1;
}
