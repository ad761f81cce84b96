// Verifies the DKIM signatures of a mail by mailauth: reads {mail, keys} as JSON, with the records by their names, and
// prints the result of each signature by its selector.
import { text } from "node:stream/consumers";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";

const { mail, keys } = JSON.parse(await text(process.stdin));
const resolver = async (name) => {
  if (name in keys) return [[keys[name]]];
  throw Object.assign(new Error(name), { code: "ENOTFOUND" });
};
const { results } = await dkimVerify(Buffer.from(mail, "base64"), { resolver });
console.log(JSON.stringify(Object.fromEntries(results.map(({ selector, status }) => [selector, status.result]))));
