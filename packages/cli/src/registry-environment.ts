/** Warns that DOCKER_AUTH_CONFIG is set: it wins over the files that login and logout change. */
export function warnOfEnvironment(): void {
  if ((process.env["DOCKER_AUTH_CONFIG"] ?? "").trim() === "") return;
  console.error(
    "wfe-containerd: DOCKER_AUTH_CONFIG is set: what it holds for a registry is used before what is kept in files",
  );
}
