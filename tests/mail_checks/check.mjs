// Judges mails' HTML: reads {name: html} as JSON, prints what html-validate finds in each, and which
// clients lack which feature that they use, as caniemail knows.
import { text } from "node:stream/consumers";
import { caniemail, rawData } from "caniemail";
import { HtmlValidate, StaticConfigLoader } from "html-validate";

const CLIENTS = {
  "apple-mail": ["ios", "macos"],
  gmail: ["android", "desktop-webmail", "ios", "mobile-webmail"],
  outlook: ["android", "ios", "macos", "outlook-com", "windows", "windows-mail"],
  "samsung-email": ["android"],
};

const config = {
  extends: ["html-validate:recommended", "html-validate:document"],
  rules: {
    // Gmail's mobile web and others drop <style>: what matters stands inline.
    "no-inline-style": "off",
    // Outlook for Windows lays out by attributes (bgcolor, cellpadding, width) and by its own comments.
    "no-deprecated-attr": "off",
    "no-conditional-comment": "off",
    // The usual spellings; clients and older screen readers know them best.
    "doctype-style": ["error", { style: "lowercase" }],
    "presentation-role-style": ["error", { prefer: "presentation" }],
    // Landmarks are roles of a <div>: Outlook for Windows does not know <article> and <main>.
    "prefer-native-element": ["error", { exclude: ["article", "main"] }],
  },
};

async function standards(mails) {
  const validator = new HtmlValidate(new StaticConfigLoader(config));
  const findings = {};
  for (const [name, html] of Object.entries(mails)) {
    const { results } = await validator.validateString(html, name);
    const found = results
      .flatMap(({ messages }) => messages)
      .map(({ ruleId, message, offset }) => `${ruleId}: ${message}, at ${html.slice(offset, offset + 30)}`);
    findings[name] = [...new Set(found)];
  }
  return findings;
}

function lacking(mails) {
  const pairs = Object.entries(CLIENTS).flatMap(([maker, all]) => all.map((client) => [maker, client]));
  // caniemail stops at a feature that nobody has tried in a client: make that "unknown", as it says elsewhere.
  for (const { stats } of rawData.data) {
    for (const [maker, client] of pairs) (stats[maker] ??= {})[client] ??= { untried: "u" };
  }
  const clients = pairs.map((pair) => pair.join("."));
  const lacks = {};
  for (const html of Object.values(mails)) {
    for (const [client, issues] of caniemail({ clients, html }).issues.errors) {
      for (const { title } of issues) (lacks[title] ??= new Set()).add(client);
    }
  }
  return Object.fromEntries(Object.entries(lacks).map(([title, names]) => [title, [...names]]));
}

const mails = JSON.parse(await text(process.stdin));
console.log(JSON.stringify({ standards: await standards(mails), lacking: lacking(mails) }));
