#include "runtime/plugin/plugin_arguments.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

PluginManifest example() {
  const char *text = R"(name = "example"
kind = "tokenizer"
version = "1.0.0"
abi = "1.0"
summary = "x"
[[parameters]]
name = "vocab"
type = "path"
required = true
help = "the file"
[[parameters]]
name = "share"
type = "float"
default = 0.25
minimum = 0
maximum = 1
help = "a share"
[[parameters]]
name = "count"
type = "int"
default = 2
minimum = 1
help = "a count"
[[parameters]]
name = "kind"
type = "enum"
members = ["macro", "micro"]
default = "macro"
help = "a kind"
[[parameters]]
name = "names"
type = "strings"
default = ["a", "b"]
help = "names"
[[parameters]]
name = "weights"
type = "numbers"
default = []
minimum = 0
help = "weights"
[[parameters]]
name = "on"
type = "bool"
default = true
help = "on"
)";
  return parsePluginManifest(text, "/p/plugin.toml").value();
}

/// The values that a plugin is given, which this header wrote.
const PenstockValue *valuesOf(const PluginArguments &arguments) {
  return static_cast<const PenstockValue *>(arguments.view()->values.first);
}

TEST(PluginArguments, FillsDefaultsAndMakesPathsAbsolute) {
  const PluginManifest manifest = example();
  const auto made = makeArguments(manifest, R"({"vocab": "a/../v.txt", "names": ["x", "", "zé"], "weights": [3, 0.5]})");
  ASSERT_TRUE(made.ok()) << made.status().message();
  ASSERT_EQ((*made)->view()->values.count, 7);
  const auto *const items = valuesOf(**made);
  const auto text = [](PenstockString s) { return std::string(s.data, s.size); };
  EXPECT_EQ(text(items[0].name), "vocab");
  EXPECT_EQ(text(items[0].string).front(), '/');
  EXPECT_EQ(text(items[0].string).find(".."), std::string::npos);
  EXPECT_EQ(items[1].kind, PENSTOCK_VALUE_FLOAT);
  EXPECT_EQ(items[1].number, 0.25);
  EXPECT_EQ(items[2].integer, 2);
  EXPECT_EQ(text(items[3].string), "macro");
  ASSERT_EQ(items[4].count, 3);
  EXPECT_EQ(text(items[4].strings[2]), "zé");
  ASSERT_EQ(items[5].count, 2);
  EXPECT_EQ(items[5].numbers[1], 0.5);
  EXPECT_EQ(items[6].integer, 1);
}

TEST(PluginArguments, TakesWholeNumbersForFloats) {
  const auto made = makeArguments(example(), R"({"vocab": "/v", "share": 1})");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(valuesOf(**made)[1].number, 1.0);
}

TEST(PluginArguments, NamesTheMistake) {
  const std::pair<const char *, const char *> mistakes[] = {
      {"{}", "needs its parameter `vocab`"},
      {R"({"vocab": "v", "shre": 1})", "did you mean `share`?"},
      {R"({"vocab": 3})", "a string is needed"},
      {R"({"vocab": "v", "share": 1.5})", "above the largest value 1"},
      {R"({"vocab": "v", "count": 0})", "below the least value 1"},
      {R"({"vocab": "v", "count": 2.5})", "a whole number is needed"},
      {R"({"vocab": "v", "count": 18446744073709551615})", "too large"},
      {R"({"vocab": "v", "kind": "mirco"})", "did you mean `micro`?"},
      {R"({"vocab": "v", "weights": [1, "2"]})", "a list of numbers"},
      {R"({"vocab": "v", "weights": [1, -2]})", "below the least value 0"},
      {R"({"vocab": "v", "names": "a"})", "a list of strings"},
      {R"({"vocab": "v", "on": 1})", "true or false"},
      {R"({"vocab": "a\u0000b"})", "no zero byte"},
      {"[1]", "not a JSON object"},
      {"{", "not a JSON object"},
  };
  for (const auto &[json, says] : mistakes) {
    const auto made = makeArguments(example(), json);
    ASSERT_FALSE(made.ok()) << json;
    EXPECT_NE(made.status().message().find(says), std::string::npos) << made.status().message();
  }
}

} // namespace
} // namespace penstock
