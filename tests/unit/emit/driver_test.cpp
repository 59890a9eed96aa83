// The cache of programs and its keys; with the real compiler behind it where PENSTOCK_BUILD has
// one.
#include "compiler/driver/compile.h"
#include "compiler/driver/program_cache.h"
#include "compiler/driver/program_key.h"
#include "runtime/abi/program_abi.h"
#include "runtime/base/program_seal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace penstock;
using frontend::Attribute;
using frontend::GraphNode;
using frontend::ValueType;

namespace {

/// tokens -> embedding(5) -> pool(mean) -> linear(3) -> cross_entropy(label); what the front end
/// would hand over.
frontend::TypedPipeline smallPipeline() {
  frontend::TypedPipeline p;
  p.name = "small";
  p.file = "small.pipe";
  p.records.sources = {{"csv", "a/{split}.csv", {}}};
  p.records.columns.resize(2);
  p.records.columns[0].name = "text";
  p.records.columns[1].name = "label";
  p.records.columns[1].type = ColumnSpec::Type::classId;
  p.records.features = {{"tokens", {"text"}, "tokens", {}}};
  p.records.inputs = {{"tokens", InputSpec::Kind::ids, "tokens", "tokens", "", false},
                      {"label", InputSpec::Kind::classId, "", "", "label", true}};
  const auto node = [&](GraphNode::Kind kind, std::string op, std::vector<int> operands, ValueType type, std::string path) {
    GraphNode n;
    n.kind = kind;
    n.op = std::move(op);
    n.operands = std::move(operands);
    n.type = std::move(type);
    n.path = std::move(path);
    n.range = {"small.pipe", 0, 1, static_cast<std::uint32_t>(p.model.nodes.size() + 10), 1, 0, 0};
    p.model.nodes.push_back(n);
    return static_cast<int>(p.model.nodes.size() - 1);
  };
  const int tokens = node(GraphNode::Kind::input, "tokens", {}, ValueType::index("tokens", 101), "");
  const int label = node(GraphNode::Kind::input, "label", {}, ValueType::index("", 3), "");
  const int embedded = node(GraphNode::Kind::builtin, "embedding", {tokens}, ValueType::sequence({"tokens", {}}, 5), "h.embedding_0");
  p.model.nodes[embedded].attributes = {{"width", std::int64_t(5)}};
  p.model.nodes[embedded].weights = {{"weight", {101, 5}, frontend::Weight::Initializer::normal, 1.0, true}};
  const int pooled = node(GraphNode::Kind::builtin, "pool", {embedded}, ValueType::vector(5), "h.pool_0");
  p.model.nodes[pooled].attributes = {{"kind", std::string("mean")}};
  const int logits = node(GraphNode::Kind::builtin, "linear", {pooled}, ValueType::vector(3), "h.linear_0");
  p.model.nodes[logits].attributes = {{"width", std::int64_t(3)}, {"bias", true}};
  p.model.nodes[logits].weights = {{"weight", {5, 3}, frontend::Weight::Initializer::uniform, 0.4, true},
                                   {"bias", {3}, frontend::Weight::Initializer::zeros, 0, false}};
  const int loss = node(GraphNode::Kind::builtin, "cross_entropy", {logits, label}, ValueType::scalar(), "h.loss");
  const int answer = node(GraphNode::Kind::builtin, "softmax", {logits}, ValueType::vector(3), "h.softmax_0");
  frontend::Answer a;
  a.name = "answer";
  a.target = "label";
  a.value = answer;
  a.loss = loss;
  a.decoder = "classify";
  p.model.answers = {a};
  p.answers = {a};
  p.train.objectives.resize(1);
  p.train.objectives[0].loss = loss;
  return p;
}

TEST(ProgramKey, ChangesWithWhatIsCompiledInAndWithNothingElse) {
  const std::string base = canonicalProgram(smallPipeline());
  const auto with = [](const std::function<void(frontend::TypedPipeline &)> &change) {
    frontend::TypedPipeline p = smallPipeline();
    change(p);
    return canonicalProgram(p);
  };
  using P = frontend::TypedPipeline;
  const std::vector<std::function<void(P &)>> matters = {
      [](P &p) { p.model.nodes[2].attributes["width"] = std::int64_t(7); },
      [](P &p) { p.model.nodes[2].attributes["width"] = 5.0; }, // another type
      [](P &p) { p.model.nodes[0].type.width = 103; },
      [](P &p) { p.model.nodes[4].path = "h.linear_1"; },
      [](P &p) { p.model.nodes[4].weights[0].scale = 0.5; },
      [](P &p) { p.model.nodes[4].weights[0].decays = false; },
      [](P &p) { p.model.nodes[4].op = "linea"; },
      [](P &p) { p.model.nodes[4].operands = {2}; },
      [](P &p) { p.model.answers[0].name = "other"; },
      [](P &p) { p.train.objectives[0].loss = -1; },
      [](P &p) { p.train.objectives.clear(); },
      [](P &p) { p.train.objectives[0].optimizer.kind = "sgd"; },
      [](P &p) { p.train.objectives[0].optimizer.beta2 = 0.99; },
      [](P &p) { p.train.objectives[0].optimizer.weightDecay = 0.1; },
      [](P &p) { p.train.objectives[0].clipNorm = 1; },
  };
  for (std::size_t i = 0; i < matters.size(); ++i) {
    EXPECT_NE(with(matters[i]), base) << i;
  }
  const std::vector<std::function<void(P &)>> cosmetic = {
      [](P &p) { p.train.objectives[0].optimizer.lr = 5; },
      [](P &p) { p.train.seed = 7; },
      [](P &p) { p.train.batch = 7; },
      [](P &p) { p.train.objectives[0].schedule.kind = "cosine"; },
      [](P &p) { p.name = p.file = p.title = "other"; },
      [](P &p) { p.model.nodes[3].range.line = 99; },
      [](P &p) { p.metrics.push_back({"dev", "f1", {}, "answer"}); },
      [](P &p) { p.target.level = "avx2"; }, // the driver's options say it
      [](P &p) { p.target.threads = 3; },
  };
  for (std::size_t i = 0; i < cosmetic.size(); ++i) {
    EXPECT_EQ(with(cosmetic[i]), base) << i;
  }
  EXPECT_EQ(keyOf(base).size(), 32u);
  EXPECT_NE(keyOf(base), keyOf(base + " "));
}

class CacheFolder : public testing::Test {
protected:
  void SetUp() override {
    std::string text = (fs::temp_directory_path() / "penstock-cache-XXXXXX").string();
    ASSERT_NE(::mkdtemp(text.data()), nullptr);
    folder = text;
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string put(const ProgramCache &cache, const std::string &key, const std::string &bytes) {
    const std::string scratch = cache.scratchPath().value();
    std::ofstream(scratch, std::ios::binary) << bytes << bytesOf(sealOf(bytes, 0));
    const Result<std::string> path = cache.adopt(scratch, key);
    EXPECT_TRUE(path.ok()) << path.status().message();
    return path.ok() ? *path : "";
  }
  void age(const std::string &path, int hours) { fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours)); }

  fs::path folder;
};

TEST_F(CacheFolder, FindsWhatWasPutAndNothingElse) {
  const ProgramCache cache{DiskCache(folder.string())};
  EXPECT_EQ(cache.find("k1"), "");
  const std::string path = put(cache, "k1", "some bytes");
  EXPECT_EQ(cache.find("k1"), path);
  EXPECT_EQ(cache.find("k2"), "");
  struct stat info = {};
  ASSERT_EQ(::stat((folder / "programs").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(CacheFolder, ADamagedEntryIsAbsentAndRemoved) {
  const ProgramCache cache{DiskCache(folder.string())};
  const std::string bytes(1009, 'x');
  for (int kind = 0; kind < 5; ++kind) {
    const std::string path = put(cache, "k", bytes);
    if (kind == 0) {
      fs::resize_file(path, fs::file_size(path) - 1);
    } else if (kind == 1) {
      fs::resize_file(path, 3);
    } else if (kind == 2) {
      fs::resize_file(path, 0);
    } else if (kind == 3) {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(500);
      file.put('y');
    } else {
      fs::rename(path, folder / "programs" / "other.so"); // whole, but of another key
      EXPECT_EQ(cache.find("other"), "");
      continue;
    }
    EXPECT_EQ(cache.find("k"), "") << kind;
    EXPECT_FALSE(fs::exists(path)) << kind;
  }
}

TEST_F(CacheFolder, TheEntriesUsedLongestAgoGoFirst) {
  const ProgramCache cache{DiskCache(folder.string(), 2500)};
  const std::string bytes(1000, 'x');
  const std::string a = put(cache, "a", bytes), b = put(cache, "b", bytes);
  age(a, 1);
  age(b, 2);
  EXPECT_EQ(cache.find("b"), b); // now used more recently than a
  put(cache, "c", bytes);
  EXPECT_EQ(cache.find("a"), "");
  EXPECT_NE(cache.find("b"), "");
  EXPECT_NE(cache.find("c"), "");
  // What a dead process left goes after a day.
  const std::string left = (folder / "tmp" / ".penstock-tmp-1-0").string();
  std::ofstream(left) << "x";
  age(left, 30);
  put(cache, "d", bytes);
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(CacheFolder, AFolderThatOthersCanWriteIsRefused) {
  fs::create_directory(folder / "programs");
  ::chmod((folder / "programs").c_str(), 0777);
  const ProgramCache cache{DiskCache(folder.string())};
  const auto refused = [&] {
    const std::string scratch = cache.scratchPath().value();
    std::ofstream(scratch, std::ios::binary) << "bytes" << bytesOf(sealOf("bytes", 0));
    const Result<std::string> path = cache.adopt(scratch, "k");
    EXPECT_FALSE(fs::exists(scratch));
    return !path.ok() && path.status().code() == ErrorCode::environment && cache.find("k").empty();
  };
  EXPECT_TRUE(refused());
  fs::remove(folder / "programs");
  std::ofstream(folder / "programs") << "a file";
  EXPECT_TRUE(refused());
}

bool mapped(const std::string &library) {
  std::ifstream maps("/proc/self/maps");
  std::stringstream text;
  text << maps.rdbuf();
  return text.str().find(library) != std::string::npos;
}

class Compile : public CacheFolder {
protected:
  void SetUp() override {
    CacheFolder::SetUp();
    const char *build = std::getenv("PENSTOCK_BUILD");
    options.level = "avx2";
    options.cacheFolder = folder.string();
    options.compilerLibrary = std::string(build ? build : ".") + "/lib/libpenstock_compiler.so";
    if (!fs::exists(options.compilerLibrary)) {
      GTEST_SKIP() << options.compilerLibrary << " is not built";
    }
  }
  /// Runs `body` in a child, because a loaded compiler cannot be unloaded. True when the child says
  /// so.
  static bool inChild(const std::function<bool()> &body) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      const bool good = body();
      std::fflush(nullptr);
      ::_exit(good ? 0 : 1);
    }
    int state = 0;
    const bool waited = ::waitpid(child, &state, 0) == child;
    if (waited && WIFSIGNALED(state)) {
      ADD_FAILURE() << "the child died of signal " << WTERMSIG(state);
    }
    return waited && WIFEXITED(state) && WEXITSTATUS(state) == 0;
  }
  CompileOptions options;
};

TEST_F(Compile, AHitDoesNotMapMLIR) {
  EXPECT_TRUE(inChild([&] {
    CompileReport report;
    const auto path = compileProgram(smallPipeline(), options, &report);
    if (!path.ok()) {
      std::printf("%s\n", path.status().message().c_str());
      return false;
    }
    return !report.cached && mapped("libMLIR");
  }));
  EXPECT_TRUE(inChild([&] {
    CompileReport report;
    const auto path = compileProgram(smallPipeline(), options, &report);
    if (!path.ok() || !report.cached || mapped("libMLIR") || mapped("libLLVM")) {
      return false;
    }
    void *library = dlopen(path->c_str(), RTLD_NOW);
    const auto get = library ? reinterpret_cast<PenstockProgramFunction>(dlsym(library, "penstock_program")) : nullptr;
    return get && std::string(get()->level) == "avx2" && get()->entries.count >= 3 && get()->parameter_elements > 0;
  }));
  EXPECT_FALSE(mapped("libMLIR"));
}

// Parts of a program are made side by side; which one is ready first shows nowhere.
TEST_F(Compile, GivesTheSameBytesEachTime) {
  EXPECT_TRUE(inChild([&] {
    std::string first;
    for (int i = 0; i < 5; ++i) {
      const auto path = compileProgram(smallPipeline(), options);
      if (!path.ok()) {
        return false;
      }
      std::stringstream bytes;
      bytes << std::ifstream(*path, std::ios::binary).rdbuf();
      fs::remove(*path);
      if (bytes.str().empty() || (i > 0 && bytes.str() != first)) {
        return false;
      }
      first = bytes.str();
    }
    return true;
  }));
}

TEST_F(Compile, ADamagedEntryIsCompiledAgain) {
  std::string first, second;
  EXPECT_TRUE(inChild([&] {
    const auto path = compileProgram(smallPipeline(), options);
    if (!path.ok()) {
      return false;
    }
    std::fstream(*path, std::ios::in | std::ios::out | std::ios::binary).seekp(4000).put('!');
    CompileReport again, third;
    return compileProgram(smallPipeline(), options, &again).ok() && !again.cached &&
           compileProgram(smallPipeline(), options, &third).ok() && third.cached;
  }));
}

TEST_F(Compile, ACacheThatCannotBeWrittenIsDoneWithout) {
  EXPECT_TRUE(inChild([&] {
    std::ofstream(folder / "programs") << "in the way";
    CompileReport report;
    const auto path = compileProgram(smallPipeline(), options, &report);
    return path.ok() && !report.cached && dlopen(path->c_str(), RTLD_NOW) != nullptr;
  }));
}

TEST_F(Compile, StagesAndMistakes) {
  EXPECT_TRUE(inChild([&] {
    bool good = true;
    for (const auto &[stage, text] : std::vector<std::pair<std::string, std::string>>{{"pipe", "pipe.pipeline"},
                                                                                      {"nn", "nn.bag_sum"},
                                                                                      {"kernel", "kernel."},
                                                                                      {"linalg", "linalg."},
                                                                                      {"llvm", "define "},
                                                                                      {"asm", ".text"}}) {
      const auto printed = compileStage(smallPipeline(), stage, options);
      if (!printed.ok() || printed->find(text) == std::string::npos) {
        std::printf("%s: %s\n", stage.c_str(), printed.ok() ? "lacks its ops" : printed.status().message().c_str());
        good = false;
      }
    }
    // A contract that the front end would never break is our mistake, said as such.
    frontend::TypedPipeline broken = smallPipeline();
    broken.model.nodes[4].operands = {17};
    const Status status = compileProgram(broken, options).status();
    good = good && status.code() == ErrorCode::internal && status.message().find("report") != std::string::npos;
    CompileOptions absent = options;
    absent.compilerLibrary = (folder / "absent.so").string();
    return good && compileProgram(smallPipeline(), absent).status().code() == ErrorCode::environment;
  }));
}

} // namespace
