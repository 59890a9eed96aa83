// libFuzzer target of the front end: any bytes are parsed, checked and formatted. What must hold beside not crashing: the tree
// holds every byte, and what was formatted keeps its layout.
#include "compiler/diagnostics/render.h"
#include "compiler/frontend/frontend.h"
#include "compiler/frontend/syntax.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace penstock;
using namespace penstock::frontend;

namespace {

void require(bool good, const char *what) {
  if (!good) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

Result<std::vector<PluginManifest>> manifests(const std::vector<std::string> &) {
  std::vector<PluginManifest> list(4);
  list[0].name = "words";
  list[0].kind = PluginKind::tokenizer;
  PluginParameter count;
  count.name = "min_count";
  count.defaultValue = std::int64_t{2};
  count.hasMinimum = true;
  count.minimum = 1;
  list[0].parameters = {count};
  list[1].name = "classify";
  list[1].kind = PluginKind::head;
  list[1].input = "vector";
  list[1].targets = {"class"};
  PluginParameter weights;
  weights.name = "class_weights";
  weights.type = PluginParameter::Type::numbers;
  weights.defaultValue = std::vector<double>{};
  list[1].parameters = {weights};
  list[2].name = "accuracy";
  list[2].kind = PluginKind::metric;
  list[2].targets = {"class"};
  list[2].results = {{"accuracy", true}};
  list[3].name = "f1";
  list[3].kind = PluginKind::metric;
  list[3].targets = {"class"};
  PluginParameter average;
  average.name = "average";
  average.type = PluginParameter::Type::enumeration;
  average.members = {"macro", "micro", "weighted"};
  average.defaultValue = std::string("macro");
  list[3].parameters = {average};
  list[3].results = {{"f1_{average}", true}};
  return list;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  {
    const SourceFile file("fuzz.pipe", text);
    diagnostics::DiagnosticList list;
    const SyntaxTree tree = parseFile(file, list);
    std::string again;
    tree.forEachToken([&](std::uint32_t token, std::uint32_t) {
      again += text.substr(tree.tokens[token].begin, tree.tokens[token].end - tree.tokens[token].begin);
    });
    require(again == text, "the tree lost bytes");
  }
  AnalyzeOptions options;
  options.workingFolder = "/";
  options.loadText = [](const std::string &) { return Result<std::string>(environmentError("none")); };
  options.loadManifests = manifests;
  auto analysis = analyze("/fuzz.pipe", text, options);
  require(analysis.ok(), "analyze gave no analysis");
  for (const diagnostics::Diagnostic &one : analysis->diagnostics.all()) {
    const std::string shown = diagnostics::renderText(one, [&](const std::string &) { return std::string_view(text); });
    require(!shown.empty() && !diagnostics::renderJson(one).empty(), "a diagnostic shows nothing");
    require(one.id != "internal-mistake", "a mistake of ours");
  }
  const Completion completion = complete(*analysis, R"({"version": 1, "classes": {"label": {"names": ["a", "b", "c"]}},
    "vocabularies": {"tokens": {"size": 1009, "max": 31}}, "splits": {"train": {"records": 7}}})");
  require(completion.ok || completion.diagnostics.hasErrors() || analysis->isLibrary, "neither good nor an error");
  if (completion.ok) {
    require(!completion.pipeline.records.sources.empty(), "a good pipeline without records");
    for (const GraphNode &node : completion.pipeline.model.nodes) {
      for (const int operand : node.operands) {
        require(operand >= 0 && operand < static_cast<int>(completion.pipeline.model.nodes.size()), "an operand is not a node");
      }
    }
  }
  const Formatted once = format("fuzz.pipe", text);
  if (once.ok) {
    const Formatted twice = format("fuzz.pipe", once.text);
    require(twice.ok && twice.text == once.text, "formatting is not idempotent");
  }
  return 0;
}
