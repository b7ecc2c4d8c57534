// The shipped model on its way into the page: parts of a file, put together and unpacked.
//
// A page that is opened from a disk may not fetch files, but it may run scripts. So each part is a
// script that calls `attncourseReceive(name, content)`: the bytes of `model.safetensors` in base64,
// and the vocabulary with the sizes of the model. A part that has arrived is not asked for again.

import { BytePairs } from "./text.js";
import { Transformer } from "./transformer.js";

const PATIENCE = 60_000; // milliseconds for one part
const received = new Map();
globalThis.attncourseReceive = (name, content) => received.set(name, content);

/** Ask for one part; fail where it does not come, comes damaged, or takes too long. */
function part(name, address, patience) {
  return new Promise((resolve, reject) => {
    if (received.has(name)) return resolve();
    const script = document.createElement("script");
    const end = (settle, value) => {
      clearTimeout(timer);
      script.remove();
      settle(value);
    };
    const timer = setTimeout(() => end(reject, new Error("no answer")), patience);
    script.onerror = () => end(reject, new Error("not found"));
    script.onload = () => (received.has(name) ? end(resolve) : end(reject, new Error("damaged")));
    script.src = address;
    document.head.append(script);
  });
}

/** Fetch the shipped translator; `progress` is told the share that has arrived. */
export async function download({ folder, parts, version }, progress, patience = PATIENCE) {
  const names = ["vocabulary", ...Array.from({ length: parts }, (_, i) => `weights-${i}`)];
  for (const [arrived, name] of names.entries()) {
    progress(arrived / names.length);
    await part(name, `${folder}${name}.js?v=${version}`, patience);
  }
  progress(1);
  const { config, search, ...vocabulary } = received.get("vocabulary");
  const file = joined(names.slice(1).map((name) => fromBase64(received.get(name))));
  const model = new Transformer(readSafetensors(file), config);
  received.clear();
  return { model, vocabulary: new BytePairs(vocabulary), search, maxLength: config.max_len };
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function joined(chunks) {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let place = 0;
  for (const chunk of chunks) {
    whole.set(chunk, place);
    place += chunk.length;
  }
  return whole;
}

/** Read half-precision tensors: 8 bytes of length, a header in JSON, then the numbers. */
function readSafetensors(bytes) {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  delete header.__metadata__;
  const weights = new Map();
  for (const [name, { data_offsets }] of Object.entries(header)) {
    const [from, to] = data_offsets.map((offset) => offset + 8 + length);
    const halves = new Uint16Array(bytes.buffer.slice(from, to)); // a slice begins aligned
    weights.set(name.replace(/^model\./, ""), Float32Array.from(halves, halfToNumber));
  }
  return weights;
}

/** Sixteen bits: a sign, five bits of exponent, ten bits behind the point. */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}
