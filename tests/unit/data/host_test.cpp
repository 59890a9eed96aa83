// The same through the plugin host, with the tokenizers of the tree, on real sets where they are at hand.
#include "runtime/data/dataset.h"

#include "support.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace penstock::test {
namespace {

/// Processor time of all threads, which other work on the machine does not change much.
double cpuMilliseconds() { return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC; }

double milliseconds(const std::function<void()> &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::shared_ptr<PluginHost> host() {
  const char *build = std::getenv("PENSTOCK_BUILD");
  auto made = PluginHost::create(build != nullptr ? std::vector<std::string>{std::string(build) + "/plugins"} : std::vector<std::string>{});
  EXPECT_TRUE(made.ok()) << made.status().message();
  return made.ok() ? made.value() : nullptr;
}

std::string shared() {
  const char *folder = std::getenv("PENSTOCK_SHARED");
  const char *source = std::getenv("PENSTOCK_SOURCE");
  return folder != nullptr ? folder : std::string(source != nullptr ? source : ".") + "/../shared";
}

Json wordsProgram(const std::string &folder, const std::string &label) {
  const Folder none;
  Json program = textProgram(none);
  program["sources"][0]["path"] = folder + "/{split}.csv";
  program["columns"][1]["from"] = label;
  Json &steps = program["features"][0]["steps"];
  steps[1] = {{"op", "tokenize"}, {"plugin", "words"}, {"parameters", {{"min_count", 2}}}, {"max_length", 128}};
  return program;
}

void runAll(const Json &program, const std::string &name) {
  const Folder folder;
  const std::string cache = folder / "cache", fitted = folder / "fitted";
  const auto plugins = host();
  ASSERT_NE(plugins, nullptr);
  ASSERT_TRUE(plugins->load("words", PluginKind::tokenizer).ok());
  Result<std::string> facts = internalError("not run");
  std::shared_ptr<const Dataset> train;
  Dataset::Options options;
  options.fitted = fitted;
  options.cache = cache;
  options.threads = 2;
  const auto openTrain = [&] {
    auto opened = Dataset::open(specOf(program), "train", *plugins, options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    train = opened.value();
  };
  for (const char *state : {"cold", "cached"}) {
    const double before = cpuMilliseconds();
    const double gathering = milliseconds([&] { facts = gatherFacts(specOf(program), *plugins, cache); });
    ASSERT_TRUE(facts.ok()) << facts.status().message();
    const double writing = milliseconds([&] { ASSERT_TRUE(writeFitted(specOf(program), facts.value(), fitted).ok()); });
    const double opening = milliseconds(openTrain);
    std::printf("%s %s: facts %.1f ms, fitted %.1f ms, open %.1f ms; %.1f ms of processor time\n", name.c_str(), state, gathering, writing,
                opening, cpuMilliseconds() - before);
  }
  const Json json = Json::parse(facts.value());
  std::printf("%s\n", json["vocabularies"].dump().c_str());
  EXPECT_EQ(json["splits"]["train"]["records"], train->records());
  EXPECT_EQ(json["vocabularies"]["tokens"]["tokens"]["train"], train->tokens());
  for (const Json &problem : json["problems"]) {
    EXPECT_TRUE(problem["id"] == "leakage" || problem["id"] == "truncation" || problem["id"] == "quoted-line-end") << problem.dump();
  }

  BatchStream::Plan plan;
  plan.shuffle = true;
  plan.lastStep = 3 * ((train->records() + 31) / 32);
  const auto stream = BatchStream::start(train, plan).value();
  std::int64_t tokens = 0;
  const double cpuBefore = cpuMilliseconds();
  const double reading = milliseconds([&] {
    for (const Batch *batch; (batch = stream->next().value()) != nullptr;) {
      tokens += batch->tokens;
    }
  });
  EXPECT_EQ(tokens, 3 * train->tokens());
  std::printf("%s: %.1f million tokens/s, %.2f microseconds a batch, %.2f of processor time\n", name.c_str(),
              static_cast<double>(tokens) / reading / 1e3, reading / static_cast<double>(plan.lastStep) * 1e3,
              (cpuMilliseconds() - cpuBefore) / static_cast<double>(plan.lastStep) * 1e3);

  // What predict makes of the file is what training made of it.
  std::string path = program["sources"][0]["path"].get<std::string>();
  path.replace(path.find("{split}"), 7, "train");
  const auto reader =
      RecordReader::open(readyRecords(specOf(program), fitted, *plugins).value(), {openFileSource(path).value(), path, "csv"}).value();
  plan.shuffle = false;
  plan.batch = 64;
  plan.lastStep = -1;
  const auto ordered = BatchStream::start(train, plan).value();
  for (const Batch *batch; (batch = ordered->next().value()) != nullptr;) {
    const auto read = reader->next(64);
    ASSERT_TRUE(read.ok()) << read.status().message();
    const Batch *other = read.value()->batch;
    ASSERT_EQ(batch->view.records, other->view.records);
    const PenstockAxisBatch &a = batch->view.axes[0], &b = other->view.axes[0];
    ASSERT_EQ(a.rows, b.rows);
    ASSERT_TRUE(std::equal(a.offsets, a.offsets + batch->view.records + 1, b.offsets));
    const auto *left = static_cast<const std::int32_t *>(batch->view.inputs[0]);
    const auto *right = static_cast<const std::int32_t *>(other->view.inputs[0]);
    ASSERT_TRUE(std::equal(left, left + a.rows, right));
    ASSERT_EQ(other->view.inputs[1], nullptr);
  }
  EXPECT_EQ(reader->next(64).value(), nullptr);
}

TEST(DataThroughPlugins, SmallFiles) {
  const Folder folder;
  folder.write("train.csv", "text,label\nthe pump leaks,yes\nthe pump runs,no\nthe belt leaks,yes\n");
  folder.write("dev.csv", "text,label\nthe pump,no\n");
  folder.write("test.csv", "text,label\nbelt belt,yes\n");
  runAll(wordsProgram(folder.path, "label"), "small");
}

TEST(DataThroughPlugins, RealSets) {
  const std::string prepared = shared() + "/data/prepared";
  if (!std::filesystem::exists(prepared + "/reviews_en/train.csv")) {
    GTEST_SKIP() << "no data sets at " << prepared << "; set PENSTOCK_SHARED";
  }
  runAll(wordsProgram(prepared + "/reviews_en", "label"), "reviews_en");
  runAll(wordsProgram(prepared + "/reviews_zh", "label"), "reviews_zh");
  runAll(wordsProgram(prepared + "/work_orders", "failure"), "work_orders");
}

} // namespace
} // namespace penstock::test
