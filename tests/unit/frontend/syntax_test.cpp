// The tree holds every byte, the parser recovers, the formatter keeps comments and its own layout.
#include "compiler/diagnostics/render.h"
#include "compiler/frontend/frontend.h"
#include "compiler/frontend/syntax.h"

#include <gtest/gtest.h>

using namespace penstock;
using namespace penstock::frontend;

namespace {

std::string throughTheTree(const std::string &text) {
  const SourceFile file("a.pipe", text);
  diagnostics::DiagnosticList list;
  const SyntaxTree tree = parseFile(file, list);
  std::string out;
  tree.forEachToken([&](std::uint32_t token, std::uint32_t) {
    out += text.substr(tree.tokens[token].begin, tree.tokens[token].end - tree.tokens[token].begin);
  });
  return out;
}

std::string formatted(const std::string &text) {
  const Formatted made = format("a.pipe", text);
  EXPECT_TRUE(made.ok);
  const Formatted again = format("a.pipe", made.text);
  EXPECT_EQ(again.text, made.text);
  return made.text;
}

} // namespace

TEST(Tree, HoldsEveryByte) {
  const std::vector<std::string> texts = {"",
                                          "\n\n",
                                          "\xEF\xBB\xBFpipe 1\r\n# c\r\n",
                                          "pipe 1\nmodel {\n  a = x |> f(1, [2, 3\n  b = (((\n}\n}}} trailing",
                                          std::string("pipe 1\n\0 \xff\xc3 \"open\n", 19),
                                          "pipe 1\nlayer l(x, n: int = (1 + 2)) { x |> f(n: n) , }",
                                          std::string(300, '(') + "1",
                                          "pipe 1 pipe 2 |> .. = \"a\\qb\" 1_000 1__0 5% 1e400 20 ms @"};
  for (const std::string &text : texts) {
    EXPECT_EQ(throughTheTree(text), text);
  }
}

TEST(Source, CountsScalarsNotBytes) {
  const SourceFile file("a.pipe", "ab\n\xC3\xA9\xE4\xB8\xADz\n");
  const SourceRange range = file.range(8, 9); // z
  EXPECT_EQ(range.line, 2u);
  EXPECT_EQ(range.column, 3u);
  EXPECT_EQ(range.endColumn, 4u);
}

TEST(Render, ShowsTheLineAndACaret) {
  const std::string text = "pipe 1\nlayer l(x) { \xC3\xA9 }\n";
  const Formatted made = format("a.pipe", text);
  ASSERT_FALSE(made.ok);
  const std::string shown = diagnostics::renderText(made.diagnostics.all()[0], [&](const std::string &) { return std::string_view(text); });
  EXPECT_NE(shown.find("a.pipe:2:14: error: "), std::string::npos) << shown;
  EXPECT_NE(shown.find(" 2 | layer l(x) { \xC3\xA9 }\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("   |              ^\n"), std::string::npos) << shown;
}

TEST(Format, PutsBlanksWhereTheyBelong) {
  EXPECT_EQ(formatted("pipe   1\n\n\n\nlayer l( x,n :int=3 ){x|>f( n:n,[ 1 ,2,] )}"),
            "pipe 1\n\nlayer l(x, n: int = 3) { x |> f(n: n, [1, 2]) }\n");
  EXPECT_EQ(formatted("pipe 1\nparam a:float=- 1+2*( 3-- 4 )/5..6"), "pipe 1\nparam a: float = -1 + 2 * (3 - -4) / 5..6\n");
  EXPECT_EQ(formatted("pipe 1\nuse metric m@1 from \"f\"\nimport a,b from \"c\""),
            "pipe 1\nuse metric m @ 1 from \"f\"\nimport a, b from \"c\"\n");
}

TEST(Format, AlignsValuesWithinABlock) {
  EXPECT_EQ(formatted("pipe 1\ntrain {\nepochs: 3,\n  optimizer: adam\n # own line\n seed: 4 # why\n}\n"),
            "pipe 1\ntrain {\n  epochs:    3\n  optimizer: adam\n  # own line\n  seed: 4  # why\n}\n");
  EXPECT_EQ(
      formatted("pipe 1\nmodel {\nh = t |> f\n|> g(\n1,\n2\n)\n|> k\nanswer = h\n|> c(l)\n}\n"),
      "pipe 1\nmodel {\n  h      = t |> f\n             |> g(\n               1,\n               2\n             )\n             |> k\n"
      "  answer = h\n    |> c(l)\n}\n");
}

TEST(Format, KeepsEveryComment) {
  const std::string text = formatted(
      "# first\npipe 1 # edition\n# alone\nmodel { # open\n# in\na = f( # call\n1, # one\n# before close\n) # end\n} # closed\n# last");
  for (const char *comment :
       {"# first", "# edition", "# alone", "# open", "# in", "# call", "# one", "# before close", "# end", "# closed", "# last"}) {
    EXPECT_NE(text.find(comment), std::string::npos) << comment << "\n" << text;
  }
}

TEST(Format, PutsACommentAboveAStepWhereTheStepStands) {
  const std::string steps =
      "pipe 1\nmodel {\n  a = x\n    # why\n    # indeed\n    |> f\n  # b is next\n  b = y |> g\n        # why not\n        |> h\n}\n";
  EXPECT_EQ(
      format("a.pipe", "pipe 1\nmodel {\n  a = x\n # why\n      # indeed\n  |> f\n # b is next\n  b = y |> g\n  # why not\n  |> h\n}\n")
          .text,
      steps);
  EXPECT_EQ(format("a.pipe", steps).text, steps);
}

TEST(Format, BreaksABodyWholeOrNotAtAll) {
  EXPECT_EQ(formatted("pipe 1\ntrain { epochs: 1, batch: 2 }\n"), "pipe 1\ntrain { epochs: 1, batch: 2 }\n");
  EXPECT_EQ(formatted("pipe 1\ntrain { epochs: 1, batch: 2\n seed: 3 }\n"), "pipe 1\ntrain {\n  epochs: 1, batch: 2\n  seed: 3\n}\n");
}

TEST(Format, RefusesSyntaxErrors) { EXPECT_FALSE(format("a.pipe", "pipe 1\nmodel {").ok); }
