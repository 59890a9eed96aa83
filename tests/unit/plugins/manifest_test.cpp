#include "runtime/base/plugin_manifest.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace penstock {
namespace {

const std::string good = R"(name = "counted"
kind = "metric"
version = "2.1.0"
abi = "1.0"
summary = "counts"
target = "class"

[[parameters]]
name = "average"
type = "enum"
members = ["macro", "micro"]
default = "macro"
help = "which"

[[parameters]]
name = "top"
type = "int"
default = 3
minimum = 1
maximum = 7
help = "how many"

[[parameters]]
name = "weights"
type = "numbers"
default = [1, 2.5]
help = "of each"

[[results]]
name = "counted_{average}_at_{top}"
higher_is_better = false
)";

std::string changed(const std::string &from, const std::string &to) {
  std::string text = good;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PluginManifest, SaysWhereItIsStandard) {
  const auto manifest = parsePluginManifest(good + "\n[[standard]]\ntarget = \"tags\"\nplace = 1.5\nwith = \"average=micro\"\n"
                                                   "[[standard]]\ntarget = \"class\"\nplace = 2\n",
                                            "/a/plugin.toml");
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  ASSERT_EQ(manifest->measured.size(), 2U);
  EXPECT_EQ(manifest->measured[0].target + " " + manifest->measured[0].parameter + " " + manifest->measured[0].value, "tags average micro");
  EXPECT_EQ(manifest->measured[1].parameter, "");
  for (const char *wrong : {"target = \"text\"\nplace = 1", "target = \"class\"", "target = \"class\"\nplace = 1\nwith = \"average=mean\"",
                            "target = \"class\"\nplace = 1\nmore = 1"}) {
    const auto read = parsePluginManifest(good + "\n[[standard]]\n" + wrong + "\n", "/a/plugin.toml");
    ASSERT_FALSE(read.ok()) << wrong;
    EXPECT_NE(read.status().message().find("a standard use"), std::string::npos) << read.status().message();
  }
}

TEST(PluginManifest, ResultsMayDependOnAParameter) {
  const auto manifest = parsePluginManifest(good + "\n[[results]]\nname = \"only_micro\"\nwhen = \"average=micro\"\n", "/a/plugin.toml");
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(manifest->resultsFor({std::string("macro"), std::int64_t{3}, std::vector<double>{}}).size(), 1U);
  const auto both = manifest->resultsFor({std::string("micro"), std::int64_t{3}, std::vector<double>{}});
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[1].name, "only_micro");
  for (const char *when : {"average", "average=mean", "other=micro", "top=3"}) {
    const auto wrong = parsePluginManifest(good + "\n[[results]]\nname = \"x\"\nwhen = \"" + when + "\"\n", "/a/plugin.toml");
    ASSERT_FALSE(wrong.ok()) << when;
    EXPECT_NE(wrong.status().message().find("plugin.toml:35:"), std::string::npos) << wrong.status().message();
  }
}

TEST(PluginManifest, ReadsEverything) {
  const Result<PluginManifest> manifest = parsePluginManifest(good, "/a/b/plugin.toml");
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(manifest->name, "counted");
  EXPECT_EQ(manifest->kind, PluginKind::metric);
  EXPECT_EQ(manifest->version, "2.1.0");
  EXPECT_EQ(manifest->abiMajor, 1);
  EXPECT_EQ(manifest->abiMinor, 0);
  EXPECT_EQ(manifest->folder, "/a/b");
  EXPECT_EQ(manifest->library, "/a/b/libcounted.so");
  ASSERT_EQ(manifest->parameters.size(), 3u);
  EXPECT_EQ(manifest->parameters[0].members, (std::vector<std::string>{"macro", "micro"}));
  EXPECT_EQ(std::get<std::int64_t>(manifest->parameters[1].defaultValue), 3);
  EXPECT_EQ(manifest->parameters[1].maximum, 7);
  EXPECT_EQ(std::get<std::vector<double>>(manifest->parameters[2].defaultValue), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(manifest->find("top"), &manifest->parameters[1]);
  EXPECT_EQ(manifest->find("bottom"), nullptr);
  ASSERT_EQ(manifest->results.size(), 1u);
  EXPECT_FALSE(manifest->results[0].higherIsBetter);
}

TEST(PluginManifest, SaysWhatGenericCodeMustKnow) {
  const std::string head = "name = \"best\"\nkind = \"head\"\nversion = \"1.0.0\"\nabi = \"1.0\"\nsummary = \"s\"\ninput = \"vector\"\n"
                           "target = \"set\"\n";
  const std::string costs = "[[parameters]]\nname = \"costs\"\ntype = \"numbers\"\ndefault = []\nhelp = \"h\"\n";
  const auto standard = parsePluginManifest(head + "standard = true\n" + costs + "each = \"class\"\n", "/a/plugin.toml");
  ASSERT_TRUE(standard.ok()) << standard.status().message();
  EXPECT_TRUE(standard->standard);
  EXPECT_TRUE(standard->parameters[0].eachClass);
  const auto other = parsePluginManifest(head + costs, "/a/plugin.toml");
  ASSERT_TRUE(other.ok()) << other.status().message();
  EXPECT_FALSE(other->standard);
  EXPECT_FALSE(other->parameters[0].eachClass);
  EXPECT_FALSE(parsePluginManifest(head + costs + "each = \"row\"\n", "/a/plugin.toml").ok());
  EXPECT_FALSE(parsePluginManifest(changed("default = 3", "default = 3\neach = \"class\""), "/a/plugin.toml").ok()); // an int
  EXPECT_FALSE(parsePluginManifest("standard = true\n" + good, "/a/plugin.toml").ok());                              // a metric
}

TEST(PluginManifest, ASourceHasNoPathsBesideItsFile) {
  const auto with = [](const std::string &parameter) {
    return parsePluginManifest(
        "name = \"p\"\nkind = \"source\"\nversion = \"1.0.0\"\nabi = \"2.1\"\nsummary = \"s\"\n[[parameters]]\nhelp = "
        "\"h\"\nrequired = true\n" +
            parameter,
        "/a/plugin.toml");
  };
  const auto good = with("name = \"sheet\"\ntype = \"string\"\n");
  ASSERT_TRUE(good.ok()) << good.status().message();
  EXPECT_EQ(good->kind, PluginKind::source);
  EXPECT_EQ(with("name = \"other\"\ntype = \"path\"\n").status().message(),
            "/a/plugin.toml:6: parameter `other` of a source is a path; the file that it reads is given in front of its parameters");
  EXPECT_FALSE(with("name = \"path\"\ntype = \"int\"\n").ok());
}

TEST(PluginManifest, SaysWhatMetricsAndLearnersAreShown) {
  const auto with = [](const std::string &kind, const std::string &keys) {
    return parsePluginManifest("name = \"p\"\nkind = \"" + kind + "\"\nversion = \"1.0.0\"\nabi = \"2.0\"\nsummary = \"s\"\n" + keys,
                               "/a/plugin.toml");
  };
  const auto metric = with("metric", "target = \"class\"\nmeanings = [\"probabilities\", \"group\"]\nfeatures = true\n");
  ASSERT_TRUE(metric.ok()) << metric.status().message();
  EXPECT_EQ(metric->meanings, (std::vector<std::string>{"probabilities", "group"}));
  EXPECT_TRUE(metric->features && metric->asksFor("group") && !metric->asksFor("class"));
  const auto learner = with("learner", "input = \"vector\"\nfits = true\nkeeps_records = true\n");
  ASSERT_TRUE(learner.ok()) << learner.status().message();
  EXPECT_TRUE(learner->keepsRecords && learner->targets.empty());
  const auto trees = with("learner", "input = \"vector\"\nfits = true\ntarget = \"number\"\n");
  ASSERT_TRUE(trees.ok()) << trees.status().message();
  EXPECT_TRUE(!trees->keepsRecords && trees->takes("number"));
  for (const auto &[kind, keys] : {std::pair{"learner", "input = \"vector\"\ntarget = [\"class\"]\n"},
                                   {"learner", "input = \"vector\"\nmeanings = [\"class\"]\n"},
                                   {"metric", "target = \"class\"\nkeeps_records = true\n"},
                                   {"metric", "target = \"class\"\nmeanings = \"class\"\n"},
                                   {"head", "input = \"vector\"\nmeanings = [\"class\"]\ntarget = \"class\"\n"}}) {
    EXPECT_FALSE(with(kind, keys).ok()) << kind << " " << keys;
  }
}

TEST(PluginManifest, ReadsWhichFilesOfAFolderCount) {
  const std::string text =
      "name = \"t\"\nkind = \"tokenizer\"\nversion = \"1.0.0\"\nabi = \"1.2\"\nsummary = \"s\"\n[[parameters]]\nname = \"vocab\"\n"
      "type = \"path\"\noptional = true\nfiles = [\"a.json\", \"b.txt\"]\nbeside = [@]\nhelp = \"h\"\n";
  const auto with = [&](const std::string &names) {
    std::string all = text;
    return parsePluginManifest(all.replace(all.find('@'), 1, names), "/a/plugin.toml");
  };
  const auto manifest = with("\"c.json\"");
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_TRUE(manifest->parameters[0].optional);
  EXPECT_FALSE(manifest->parameters[0].required);
  EXPECT_EQ(manifest->parameters[0].files, (std::vector<std::string>{"a.json", "b.txt"}));
  EXPECT_EQ(manifest->parameters[0].beside, (std::vector<std::string>{"c.json"}));
  for (const char *wrong : {"\"../c\"", "\"..\"", "\"\"", "\"/etc/passwd\"", "1"}) {
    EXPECT_FALSE(with(wrong).ok()) << wrong;
  }
}

TEST(PluginManifest, FillsTheNamesOfResults) {
  const Result<PluginManifest> manifest = parsePluginManifest(good, "/a/plugin.toml");
  ASSERT_TRUE(manifest.ok());
  const std::vector<MetricResult> filled = manifest->resultsFor({std::string("micro"), std::int64_t{5}, std::vector<double>{}});
  ASSERT_EQ(filled.size(), 1u);
  EXPECT_EQ(filled[0].name, "counted_micro_at_5");
}

struct Mistake {
  const char *from, *to, *line, *says;
};

TEST(PluginManifest, NamesLineAndReasonOfMistakes) {
  const Mistake mistakes[] = {
      {"kind = \"metric\"", "kind = \"metrics\"", ":2:", "`kind` must be `tokenizer` or `head` or `metric`"},
      {"abi = \"1.0\"", "abi = \"one\"", ":4:", "major.minor"},
      {"abi = \"1.0\"\n", "", ":1:", "`abi` is missing"},
      {"name = \"counted\"", "name = \"Counted\"", ":1:", "lower-case"},
      {"summary", "sumary", ":5:", "sumary"},
      {"default = 3", "default = 3.5", ":18:", "`default` must be a whole number"},
      {"default = 3", "default = 9", ":18:", "outside"},
      {"default = 3\n", "", ":15:", "either a `default`, `required = true` or `optional = true`"},
      {"default = 3", "default = 3\noptional = true", ":15:", "either a `default`"},
      {"default = 3", "default = 3\nfiles = [\"a\"]", ":19:", "`files` are names of files in the folder of a parameter of type path"},
      {"default = 3", "optional = true", ":30:", "names no parameter"},
      {"default = \"macro\"", "default = \"mcro\"", ":12:", "one of `members`"},
      {"type = \"int\"", "type = \"integer\"", ":17:", "unknown type `integer`"},
      {"name = \"top\"", "name = \"average\"", ":15:", "declared twice"},
      {"{average}_at", "{averages}_at", ":30:", "names no parameter"},
      {"_{average}_at_{top}", "_{average_at_{top}", ":30:", "in braces"},
      {"help = \"which\"\n", "", ":8:", "`help` is missing"},
      {"summary = \"counts\"", "summary = \"counts", ":5:", ""},
  };
  for (const Mistake &mistake : mistakes) {
    const Result<PluginManifest> manifest = parsePluginManifest(changed(mistake.from, mistake.to), "/a/plugin.toml");
    ASSERT_FALSE(manifest.ok()) << mistake.to;
    const std::string &message = manifest.status().message();
    EXPECT_NE(message.find("/a/plugin.toml" + std::string(mistake.line)), std::string::npos) << message;
    EXPECT_NE(message.find(mistake.says), std::string::npos) << message;
  }
}

TEST(PluginManifest, KeepsLibrariesInTheirFolder) {
  EXPECT_FALSE(parsePluginManifest(changed("summary", "library = \"../evil.so\"\nsummary"), "/a/plugin.toml").ok());
}

class Folders : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "penstock_manifests_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root); }
  void write(const std::string &path, const std::string &text) {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  std::filesystem::path root;
};

TEST_F(Folders, FirstFolderWinsAndBrokenManifestsAreListed) {
  write("one/counted/plugin.toml", changed("2.1.0", "1.0.0"));
  write("two/deep/counted/plugin.toml", changed("2.1.0", "9.0.0"));
  write("two/other/plugin.toml", changed("\"counted\"", "\"other\""));
  write("two/too/deep/for/this/plugin.toml", changed("\"counted\"", "\"unseen\""));
  write("two/bad/plugin.toml", "name = 3\n");
  std::vector<Status> problems;
  const auto found = findPlugins({(root / "one").string(), (root / "two").string()}, &problems);
  ASSERT_TRUE(found.ok());
  std::vector<std::string> seen;
  for (const PluginManifest &manifest : *found) {
    if (manifest.folder.rfind(root.string(), 0) == 0) {
      seen.push_back(manifest.name + " " + manifest.version);
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"counted 1.0.0", "other 2.1.0"}));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_NE(problems[0].message().find("bad/plugin.toml:1"), std::string::npos) << problems[0].message();
  EXPECT_FALSE(findPlugins({(root / "two").string()}).ok());
  EXPECT_FALSE(findPlugins({(root / "nowhere").string()}).ok());
}

TEST_F(Folders, RefusesWhatIsNoManifest) {
  EXPECT_FALSE(readPluginManifest((root / "plugin.toml").string()).ok());
  EXPECT_FALSE(readPluginManifest(root.string()).ok());
  write("big/plugin.toml", std::string((1 << 20) + 1, '#'));
  EXPECT_NE(readPluginManifest((root / "big/plugin.toml").string()).status().message().find("at most 1 MiB"), std::string::npos);
}

} // namespace
} // namespace penstock
