// Judges mails' HTML: reads {name: html} as JSON, prints what html-validate finds in each, and which
// clients lack which feature that they use, as caniemail knows.
import { text } from "node:stream/consumers";
import { caniemail } from "caniemail";
import { HtmlValidate, StaticConfigLoader } from "html-validate";

const CLIENTS = ["gmail.*", "apple-mail.*", "outlook.*", "samsung-email.*"];

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
    findings[name] = results
      .flatMap(({ messages }) => messages)
      .map(({ ruleId, message, offset }) => `${ruleId}: ${message}, at ${html.slice(offset, offset + 80)}`);
  }
  return findings;
}

function lacking(mails) {
  const clients = {};
  for (const html of Object.values(mails)) {
    for (const [client, issues] of caniemail({ clients: CLIENTS, html }).issues.errors) {
      for (const { title } of issues) (clients[title] ??= new Set()).add(client);
    }
  }
  return Object.fromEntries(Object.entries(clients).map(([title, names]) => [title, [...names]]));
}

const mails = JSON.parse(await text(process.stdin));
console.log(JSON.stringify({ standards: await standards(mails), lacking: lacking(mails) }));
