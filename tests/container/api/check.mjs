// SPDX-License-Identifier: MIT
// What is wrong with Kubernetes documents, by the API's own published types.
//
//   node check.mjs <DOCUMENTS >FAULTS
//
// DOCUMENTS is {name: document}, FAULTS is {name: [text]}, both JSON. Two sources, for neither sees all: the types of
// Kubernetes 1.30 know every field's name and kind, the schemas of 1.27 know what a quantity looks like.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const require = createRequire(import.meta.url);
const TYPES = { Pod: "core/v1", ConfigMap: "core/v1", Secret: "core/v1", Job: "batch/v1", CronJob: "batch/v1" };
const MODELS = { "core/v1": "v1" };
const documents = JSON.parse(fs.readFileSync(0, "utf8"));
const names = Object.keys(documents);
const faults = Object.fromEntries(names.map((name) => [name, []]));

// Each document becomes a literal of its type, in a module that exists in memory only.
const here = path.dirname(fileURLToPath(import.meta.url));
const fileOf = (index) => path.join(here, `${index}.ts`);
const sources = new Map();
names.forEach((name, index) => {
  const { apiVersion, kind } = documents[name];
  const group = TYPES[kind];
  if (!group || apiVersion !== group.replace("core/", "")) {
    faults[name].push(`no type ${apiVersion} ${kind}`);
    return;
  }
  sources.set(fileOf(index), `import { ${kind} } from "kubernetes-types/${group}";\n` +
    `export const document: ${kind} = ${JSON.stringify(documents[name])};\n`);
  const model = require(`kubernetes-models/${MODELS[group] ?? group}`)[kind];
  try {
    new model(documents[name]).validate();
  } catch (problem) {
    faults[name].push(String(problem.message));
  }
});

const options = {
  strict: true, noEmit: true, types: [], skipLibCheck: true, module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
};
const host = ts.createCompilerHost(options);
const { fileExists, readFile, getSourceFile } = host;
host.fileExists = (file) => sources.has(file) || fileExists(file);
host.readFile = (file) => sources.get(file) ?? readFile(file);
host.getSourceFile = (file, ...rest) =>
  sources.has(file) ? ts.createSourceFile(file, sources.get(file), ts.ScriptTarget.ES2022) : getSourceFile(file, ...rest);
const program = ts.createProgram([...sources.keys()], options, host);
for (const { file, messageText } of ts.getPreEmitDiagnostics(program)) {
  const text = ts.flattenDiagnosticMessageText(messageText, " ");
  const owner = names.find((_, index) => file && file.fileName === fileOf(index));
  if (!owner) throw new Error(text);
  faults[owner].push(text);
}
process.stdout.write(JSON.stringify(faults));
