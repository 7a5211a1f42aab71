// Reads a JSON list of statements from its input, writes the list of what the grammar says of each; null: there
// was no time for it within the seconds of its argument. Short ones come first, as the time grows with the length.
import { readFileSync } from "node:fs";
import antlr4 from "antlr4";
import * as grammar from "@griffithswaite/ts-plsql-parser";

function complaints(statement) {
  const found = [];
  const listener = {
    syntaxError: (_recognizer, _symbol, line, column, message) => found.push(`${line}:${column} ${message}`),
    reportAmbiguity: () => {},
    reportAttemptingFullContext: () => {},
    reportContextSensitivity: () => {},
  };
  const lexer = new grammar.PlSqlLexer(new antlr4.CharStream(statement + ";"));
  const parser = new grammar.PlSqlParser(new antlr4.CommonTokenStream(lexer));
  for (const part of [lexer, parser]) {
    part.removeErrorListeners();
    part.addErrorListener(listener);
  }
  parser.sql_script();
  return found;
}

const statements = JSON.parse(readFileSync(0, "utf8"));
const deadline = Date.now() + 1000 * Number(process.argv[2]);
const said = statements.map(() => null);
const order = statements.map((_, at) => at).sort((a, b) => statements[a].length - statements[b].length);
for (const at of order) {
  if (Date.now() > deadline) break;
  said[at] = complaints(statements[at]);
}
process.stdout.write(JSON.stringify(said));
