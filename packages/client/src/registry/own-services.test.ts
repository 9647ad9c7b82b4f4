import { expect, test } from "vitest";
import { leadsToOwnServices } from "./own-services.js";

const registry = new URL("https://registry.example.com/v2/");

test.each([
  "https://localhost/",
  "https://127.0.0.1:10250/pods",
  "https://127.1/",
  "https://0.0.0.0:2375/",
  "https://[::1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://169.254.169.254/latest",
  "https://[::ffff:169.254.169.254]/",
  "https://[fe80::1]/",
  "https://[fd00:ec2::254]/",
  "https://metadata.google.internal/",
])("%s is where only we can go", (to) => {
  expect(leadsToOwnServices(registry, new URL(to))).toBe(true);
});

test.each([
  "https://cdn.example.net/",
  "https://10.0.0.7/",
  "https://192.168.1.2/",
  "https://[fd00::1]/",
  "https://8.8.8.8/",
])("%s is anybody's, or a registry's own network", (to) => {
  expect(leadsToOwnServices(registry, new URL(to))).toBe(false);
});

test("a registry on this machine may lead to others there, and any to itself", () => {
  expect(leadsToOwnServices(new URL("http://127.0.0.1:5000/"), new URL("http://localhost:9000/"))).toBe(
    false,
  );
  expect(leadsToOwnServices(new URL("http://127.0.0.1:5000/"), new URL("http://169.254.169.254/"))).toBe(
    true,
  );
  expect(leadsToOwnServices(new URL("https://169.254.7.7/"), new URL("https://169.254.7.7:444/"))).toBe(
    false,
  );
});
