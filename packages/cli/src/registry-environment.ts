/** Warns that DOCKER_AUTH_CONFIG is set: it wins over the files that login and logout change. */
export function warnOfEnvironment(): void {
  if ((process.env["DOCKER_AUTH_CONFIG"] ?? "").trim() === "") return;
  console.error("wfe-containerd: DOCKER_AUTH_CONFIG is set: its credentials are used before those in files");
}
