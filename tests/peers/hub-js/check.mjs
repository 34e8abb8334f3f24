// Reads a repository of the stand-in Hub with the official JavaScript client
// and compares every file with the folder it was served from.
//
//   node check.mjs                      start the stand-in on a folder made here
//   node check.mjs HUB_URL ID FOLDER [TOKEN]
//                                       check a running stand-in; ID is owner/name,
//                                       datasets/owner/name or spaces/owner/name
//
// Prints one line; ends with status 1 on any difference.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync }
  from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { downloadFile, listFiles } from "@huggingface/hub";

const PAGE = 2;

function filesBelow(folder) {
  const found = [];
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const full = join(folder, item.name);
    if (item.isDirectory()) found.push(...filesBelow(full));
    else found.push(full);
  }
  return found;
}

function gitBlobId(bytes) {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

// The client puts the path into the URL as it is, so it must be encoded before.
function encoded(path) {
  return path.split("/").map(encodeURIComponent).join("/");
}

async function check(hubUrl, repo, folder, accessToken) {
  const expected = new Map();
  for (const full of filesBelow(folder)) {
    const path = relative(folder, full).split(sep).join("/");
    if (path !== ".hub.json") expected.set(path, full);
  }
  // Count the pages, to be sure that the listing really was paged.
  let pages = 0;
  const counting = (input, init) => {
    if (String(input).includes("/tree/")) pages += 1;
    return fetch(input, init);
  };
  const listed = [];
  let rows = 0;
  for await (const entry of listFiles({ repo, recursive: true, hubUrl, accessToken,
    fetch: counting })) {
    rows += 1;
    if (entry.type === "file") listed.push(entry);
  }
  const problems = [];
  if (pages !== Math.max(1, Math.ceil(rows / PAGE))) {
    problems.push(`${rows} rows came in ${pages} pages of ${PAGE}`);
  }
  const names = listed.map((entry) => entry.path);
  for (const path of expected.keys()) {
    if (!names.includes(path)) problems.push(`${path}: not listed`);
  }
  let bytes = 0, lfs = 0;
  for (const entry of listed) {
    const full = expected.get(entry.path);
    if (full === undefined) {
      problems.push(`${entry.path}: listed but not in the folder`);
      continue;
    }
    const wanted = readFileSync(full);
    if (entry.size !== wanted.length) problems.push(`${entry.path}: listed size ${entry.size}`);
    if (entry.lfs) {
      lfs += 1;
      const digest = createHash("sha256").update(wanted).digest("hex");
      if (entry.lfs.oid !== digest) problems.push(`${entry.path}: listed sha256`);
    } else if (entry.oid !== gitBlobId(wanted)) {
      problems.push(`${entry.path}: listed blob id`);
    }
    if (wanted.length === 0) continue; // the client cannot fetch empty files: it asks bytes=0-0
    const blob = await downloadFile({ repo, path: encoded(entry.path), hubUrl, accessToken });
    if (blob === null) {
      problems.push(`${entry.path}: not found`);
      continue;
    }
    const got = Buffer.from(await blob.arrayBuffer());
    bytes += got.length;
    if (!got.equals(wanted)) problems.push(`${entry.path}: ${got.length} bytes differ`);
    const from = Math.floor(wanted.length / 3), to = Math.ceil((2 * wanted.length) / 3);
    const part = Buffer.from(await blob.slice(from, to).arrayBuffer());
    if (!part.equals(wanted.subarray(from, to))) problems.push(`${entry.path}: slice differs`);
  }
  if (problems.length) {
    console.log(`hub-js: FAILED: ${problems.join("; ")}`);
    return 1;
  }
  console.log(`hub-js: ok: ${listed.length} files (${lfs} LFS), ${bytes} bytes, `
    + `${pages} pages, node ${process.versions.node}`);
  return 0;
}

function makeRepository(root) {
  const folder = join(root, "models", "me", "repo");
  const weights = Buffer.alloc(3_000_017);
  for (let i = 0; i < weights.length; i += 1) weights[i] = (i * 2654435761) >>> 13;
  const files = {
    "README.md": "# Read me\n".repeat(300), "config.json": "{}", "empty.txt": "",
    "model-00001.safetensors": weights, "tiny.bin": Buffer.from([1, 2, 3]),
    "sub/deep/a [1]#%+.json": "[1]", "sub/\u00e9\u65e5.txt": "unicode",
  };
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), data);
  }
  return folder;
}

async function checkOwnServer() {
  const root = mkdtempSync(join(tmpdir(), "hub-js-"));
  const script = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "servers", "hub.py");
  const folder = makeRepository(root);
  const server = spawn("/usr/bin/python3", [script, "--root", root, "--page-size", String(PAGE),
    "--no-xet", "--exit-with-parent"], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: server.stdout }).once("line", resolve);
      server.once("error", reject);
      server.once("exit", (code) => reject(new Error(`the stand-in ended with ${code}`)));
    });
    return await check(JSON.parse(line).hub, "me/repo", folder);
  } finally {
    server.stdin.end();
    rmSync(root, { recursive: true, force: true });
  }
}

const [hubUrl, repo, folder, token] = process.argv.slice(2);
try {
  if (hubUrl && (!folder || !statSync(folder).isDirectory())) throw new Error("no such folder");
  process.exitCode = hubUrl ? await check(hubUrl, repo, folder, token) : await checkOwnServer();
} catch (error) {
  console.log(`hub-js: FAILED: ${error.message}`);
  process.exitCode = 1;
}
