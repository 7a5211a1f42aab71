// Reads a JSON list of statements from its input, writes the list of what the grammar says of each.
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
process.stdout.write(JSON.stringify(statements.map(complaints)));
