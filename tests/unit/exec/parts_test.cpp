// The parts of the runtime alone: hash, safetensors, Philox, schedules, atomic files, configuration.
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/hash.h"
#include "runtime/base/philox.h"
#include "runtime/exec/initialize.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/run_places.h"
#include "runtime/exec/safetensors.h"
#include "tests/unit/exec/fakes.h"
#include "tests/unit/exec/scratch.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

namespace penstock {
namespace {

/// The bytes of which xxHash's own sanity checks publish the values.
std::string sanityBytes(std::size_t size) {
  std::string bytes;
  for (std::uint64_t state = 2654435761U; bytes.size() < size; state *= 11400714785074694797U) {
    bytes += static_cast<char>(state >> 56);
  }
  return bytes;
}

// A run holds no absolute path, and whoever reads it has them again.
TEST(RunPlaces, AreGatheredInTheRun) {
  const RunPlaces here("/usr/share/runs/1");
  const auto gathered = [&](const std::string &text) { return here.gathered(here.kept(text), "/usr/share/task"); };
  for (const auto &[text, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"n/a and ${RUN^ stay", "n/a and ${RUN^} stay"},
           {"/usr/share/task/data/{split}.csv", "${RUN^0/}data/{split}.csv"},
           {"/usr/share/task", "${RUN^0}"},
           {"/usr/share", "${RUN^0}"},
           {"/usr/share/tasks/x.csv", "${RUN^0/}elsewhere.csv"},
           {"/usr/John Doe/my data/x y.csv", "${RUN^0/}elsewhere.csv"},
           {"/usr/share/runs/1/fitted/", "${RUN^0/}fitted"},
           {"at /usr/lib/a.pipe:12, and file:/usr/lib/{b}/c; /usr/share/task/d",
            "at ${RUN^0/}elsewhere.pipe:12, and file:${RUN^0/}elsewhere; ${RUN^0/}d"},
           {"csv(\"/usr/John Doe/part.{split}.csv\")\nx = '/usr/a b/c'", "csv(\"${RUN^0}/{split}.csv\")\nx = '${RUN^0/}elsewhere'"},
           {"{\"path\":\"/usr/a b/c\"}", "{\"path\":\"${RUN^0/}elsewhere\"}"}}) {
    EXPECT_EQ(gathered(text), wanted) << text;
    EXPECT_EQ(here.gathered(wanted, "/usr/share/runs/1"), wanted) << "what is gathered stays";
  }
}

TEST(RunPlaces, AreRelativeToTheRunAndReadAgain) {
  const RunPlaces here("/usr/share/runs/1"), there("/srv/x/runs/2"), top("/usr");
  const struct {
    const char *text, *kept, *moved;
  } cases[] = {
      {"/usr/share/data/a.csv", "${RUN^2/}data/a.csv", "/srv/x/data/a.csv"},
      {"/usr/share/runs/1", "${RUN^0}", "/srv/x/runs/2"},
      {"/usr/share/runs/1/fitted", "${RUN^0/}fitted", "/srv/x/runs/2/fitted"},
      {"/usr/share/runs/10/a", "${RUN^1/}10/a", "/srv/x/runs/10/a"},
      {"/usr/share/", "${RUN^2}/", "/srv/x/"},
      {"/tmp/b", "${RUN^4/}tmp/b", "/tmp/b"},
      {"data=/usr/share", "data=${RUN^2}", "data=/srv/x"},
      {"[\"/usr/share/a b\", '/usr/c']", "[\"${RUN^2/}a b\", '${RUN^3/}c']", "[\"/srv/x/a b\", '/srv/c']"},
      {"{\"m\":{\"/usr/m\":1}}", "{\"m\":{\"${RUN^3/}m\":1}}", "{\"m\":{\"/srv/m\":1}}"},
      {"n/a </td> https://usr/x /nowhere-at-all/x / //usr", "n/a </td> https://usr/x /nowhere-at-all/x / //usr",
       "n/a </td> https://usr/x /nowhere-at-all/x / //usr"},
      {"${RUN^2/}x ${RUN^} ${RUN", "${RUN^}2/}x ${RUN^}} ${RUN", "${RUN^2/}x ${RUN^} ${RUN"},
      {"", "", ""},
  };
  for (const auto &[text, kept, moved] : cases) {
    EXPECT_EQ(here.kept(text), kept);
    EXPECT_EQ(here.read(kept), text);
    EXPECT_EQ(there.read(kept), moved);
  }
  EXPECT_EQ(top.read("${RUN^9/}a ${RUN^9} ${RUN^0/}b"), "/a / /usr/b"); // no folder is above the root
  EXPECT_EQ(top.read("${RUN^-1/}a ${RUN^"), "${RUN^-1/}a ${RUN^");
  nlohmann::ordered_json json = {{"a", {"/usr/share/x", 3, nullptr}}, {"/usr/key", true}};
  const nlohmann::ordered_json before = json;
  here.keep(json);
  EXPECT_EQ(json.dump(), R"({"a":["${RUN^2/}x",3,null],"/usr/key":true})");
  here.restore(json);
  EXPECT_EQ(json, before);
}

TEST(Hash, EqualsThePublishedValues) {
  EXPECT_EQ(hash64Hex(""), "ef46db3751d8e999");
  EXPECT_EQ(hash64Hex("abc"), "44bc2cf5ad770999");
  EXPECT_EQ(hash64Hex("Nobody inspects the spammish repetition"), "fbcea83c8a378bf1");
  EXPECT_EQ(hash64(sanityBytes(1)), 0xE934A84ADB052768U);
  EXPECT_EQ(hash64(sanityBytes(14), 2654435761U), 0xC3BD6BF63DEB6DF0U);
  EXPECT_EQ(hash64(sanityBytes(222)), 0xB641AE8CB691C174U);
  EXPECT_EQ(hash64(sanityBytes(222), 2654435761U), 0x20CB8AB7AE10C14AU);
  EXPECT_EQ(hash128("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash128(sanityBytes(1)).hex(), "a6cd5e9392000f6ac44bdff4074eecdb");
  EXPECT_EQ(hash128(sanityBytes(222)).hex(), "337e09641b948717f1aebd597cec6b3a");
  EXPECT_EQ(hash128(sanityBytes(403)).hex(), "1b6de21e332dd73dcdeb804d65c6dea4");
}

TEST(Hash, OfPiecesIsThatOfTheWhole) {
  const std::string text = sanityBytes(1009);
  Hash64 short64;
  Hasher128 short128;
  for (std::size_t at = 0, size = 0; at < text.size(); at += size, size = size % 71 + 1) { // the first piece is empty
    const std::string_view piece = std::string_view(text).substr(at, size);
    short64.add(piece);
    short128.add(piece.data(), piece.size());
    EXPECT_EQ(short64.value(), hash64(text.substr(0, at + piece.size())));
    EXPECT_EQ(short128.value(), hash128(text.substr(0, at + piece.size())));
  }
  EXPECT_EQ(short64.hex(), hash64Hex(text));
}

TEST(Weights, TheFirstThatIsNoNumberIsNamed) {
  std::vector<float> good(7, -1e38F), bad(5, 0.0F);
  const std::vector<TensorView> tensors = {{"good", {7}, good.data(), 7}, {"empty", {0}, nullptr, 0}, {"bad", {5}, bad.data(), 5}};
  EXPECT_EQ(firstNotFinite(tensors), "");
  for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::nanf("")}) {
    bad[4] = value;
    EXPECT_EQ(firstNotFinite(tensors), "bad");
  }
}

TEST(Philox, EqualsTheAuthorsKnownAnswers) {
  std::uint32_t out[4];
  const std::uint32_t zeros[4] = {}, ones[4] = {~0u, ~0u, ~0u, ~0u};
  philox(zeros, zeros, out);
  EXPECT_EQ(out[0], 0x6627e8d5u);
  EXPECT_EQ(out[3], 0x9b00dbd8u);
  philox(ones, ones, out);
  EXPECT_EQ(out[0], 0x408f276du);
  EXPECT_EQ(out[3], 0x6d5451fdu);
}

TEST(Initialize, HasTheMomentsAndDependsOnSeedAndNameAlone) {
  PenstockTensorInfo tensor{};
  tensor.elements = 100'003;
  tensor.init_scale = 0.5f;
  std::vector<float> a(100'003), b(100'003);
  for (const int kind : {PENSTOCK_INIT_UNIFORM, PENSTOCK_INIT_NORMAL}) {
    tensor.initializer = kind;
    tensor.name = "a.weight";
    tensor.offset = 0;
    initializeTensor(tensor, 7, a.data());
    double sum = 0, squares = 0, top = 0;
    for (const float value : a) {
      sum += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
      top = std::max(top, std::abs(static_cast<double>(value)));
    }
    const double deviation = std::sqrt(squares / 100'003);
    EXPECT_NEAR(sum / 100'003, 0, 0.006);
    EXPECT_NEAR(deviation, kind == PENSTOCK_INIT_UNIFORM ? 0.5 / std::sqrt(3.0) : 0.5, 0.005);
    if (kind == PENSTOCK_INIT_UNIFORM) {
      EXPECT_LE(top, 0.5);
      EXPECT_GT(top, 0.499);
    }
    tensor.offset = 128;
    initializeTensor(tensor, 7, b.data());
    EXPECT_EQ(a, b);
    initializeTensor(tensor, 8, b.data());
    EXPECT_NE(a, b);
    tensor.name = "b.weight";
    initializeTensor(tensor, 7, b.data());
    EXPECT_NE(a, b);
  }
  tensor.initializer = PENSTOCK_INIT_NORMAL;
  tensor.elements = 0;
  initializeTensor(tensor, 7, nullptr);
}

TEST(Schedule, FollowsItsDefinition) {
  ScheduleSpec schedule;
  EXPECT_EQ(learningRate(schedule, 0.25, 17, 100), 0.25f);
  schedule.kind = "linear";
  schedule.warmupFraction = 0.1;
  EXPECT_FLOAT_EQ(learningRate(schedule, 1, 0, 100), 0.1f);
  EXPECT_FLOAT_EQ(learningRate(schedule, 1, 9, 100), 1.0f);
  EXPECT_FLOAT_EQ(learningRate(schedule, 1, 10, 100), 1.0f);
  EXPECT_FLOAT_EQ(learningRate(schedule, 1, 55, 100), 0.5f);
  EXPECT_FLOAT_EQ(learningRate(schedule, 1, 99, 100), 1.0f / 90);
  schedule.kind = "cosine";
  schedule.warmupSteps = 0;
  EXPECT_FLOAT_EQ(learningRate(schedule, 2, 0, 8), 2.0f);
  EXPECT_FLOAT_EQ(learningRate(schedule, 2, 4, 8), 1.0f);
  EXPECT_FLOAT_EQ(learningRate(schedule, 2, 6, 8), 1 + std::cos(0.75f * 3.14159265f));
  schedule.warmupSteps = 50; // longer than the run
  EXPECT_FLOAT_EQ(learningRate(schedule, 2, 3, 8), 2.0f * 4 / 50);
  EXPECT_TRUE(std::isfinite(learningRate(schedule, 2, 0, 0)));
}

TEST(RunConfig, SurvivesJson) {
  RunConfig config = fake::config();
  config.train.seed = 18446744073709551557u;
  config.train.keepMetric = "dev.accuracy";
  config.title = "quotes \" and \\ and \xe6\xb3\xb5";
  const Result<RunConfig> back = RunConfig::fromJson(config.toJson());
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->toJson(), config.toJson());
  EXPECT_EQ(back->train.seed, config.train.seed);
  EXPECT_EQ(back->title, config.title);
  EXPECT_FALSE(RunConfig::fromJson("{\"name\": 3}").ok());
  EXPECT_FALSE(RunConfig::fromJson("[").ok());
}

void put(const std::string &path, const std::string &bytes) { std::ofstream(path, std::ios::binary) << bytes; }

struct Weights {
  std::vector<float> a = {1.5f, -2, 3, 4, 5, -0.0f}, b, c = {7};
  std::vector<TensorView> views() const {
    return {{"a", {2, 3}, a.data(), 6}, {"b", {0, 5}, b.data(), 0}, {"c.\xc3\xa9", {}, c.data(), 1}};
  }
};

TEST(Safetensors, ReadsWhatItWrote) {
  const Scratch scratch;
  const Weights weights;
  const Result<std::string> hash = writeSafetensors(scratch / "w", weights.views(), {{"k", "v"}});
  ASSERT_TRUE(hash.ok()) << hash.status().message();
  const auto file = SafetensorsFile::open(scratch / "w", *hash);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ((*file)->tensors().size(), 3u);
  const TensorView *a = (*file)->find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(a->data, weights.a.data(), 24), 0);
  EXPECT_EQ((*file)->find("b")->elements, 0);
  EXPECT_EQ((*file)->find("c.\xc3\xa9")->data[0], 7);
  EXPECT_EQ((*file)->find("d"), nullptr);
  EXPECT_EQ((*file)->metadata().at("k"), "v");
  EXPECT_FALSE(SafetensorsFile::open(scratch / "w", "0000000000000000").ok());
  EXPECT_FALSE(SafetensorsFile::open(scratch / "none").ok());
  EXPECT_FALSE(SafetensorsFile::open(scratch.path()).ok());
}

TEST(Safetensors, RefusesEveryCutAndSurvivesEveryChange) {
  const Scratch scratch;
  const Result<std::string> hash = writeSafetensors(scratch / "w", Weights().views(), {{"k", "v"}});
  ASSERT_TRUE(hash.ok());
  const Result<std::string> good = readWholeFile(scratch / "w");
  ASSERT_TRUE(good.ok());
  for (std::size_t size = 0; size < good->size(); ++size) {
    put(scratch / "cut", good->substr(0, size));
    EXPECT_FALSE(SafetensorsFile::open(scratch / "cut").ok()) << size;
  }
  std::mt19937 random(11);
  for (int i = 0; i < 400; ++i) {
    std::string bad = *good;
    bad[random() % bad.size()] = static_cast<char>(random());
    if (bad == *good) {
      continue;
    }
    put(scratch / "bad", bad);
    EXPECT_FALSE(SafetensorsFile::open(scratch / "bad", *hash).ok());
    const auto unchecked = SafetensorsFile::open(scratch / "bad"); // may be readable; must not fault
    if (unchecked.ok()) {
      float sum = 0;
      for (const TensorView &view : (*unchecked)->tensors()) {
        for (std::int64_t j = 0; j < view.elements; ++j) {
          sum += view.data[j];
        }
      }
      EXPECT_TRUE(sum == sum || sum != sum);
    }
  }
}

/// A safetensors file of a header and `bytes` bytes behind it.
std::string fileOf(const std::string &header, std::size_t bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(bytes, '\1');
}

TEST(Safetensors, RefusesHeadersThatLie) {
  const Scratch scratch;
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string many = "{\"a\":" + std::string(100'000, '[');
  const struct {
    std::string header, says;
  } cases[] = {
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "does not agree"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", "too large"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", "too large"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387903],"data_offsets":[0,8]}})", "does not agree"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})", "whole numbers"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "does not agree"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", "incomplete"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0.5,4.5]}})", "whole numbers"},
      {R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", "unknown type"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", "does not agree"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "overlap"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "4 bytes behind the last tensor"},
      {R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "4 bytes before `b`"},
      {R"({"b":{"dtype":"U8","shape":[3],"data_offsets":[5,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       "1 bytes before `b`"},
      {"{}", "8 bytes behind"},
      {"{" + a + "," + a + "}", "`a` stands twice"},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "`dtype` stands twice"},
      {R"({"__metadata__":{"k":"1","k":"2"},)" + a + "}", "`k` stands twice"},
      {R"({"a":3})", "incomplete"},
      {R"({"__metadata__":{"k":1}})", "not a string"},
      {R"([])", "does not begin with `{`"},
      {" {" + a + "}", "does not begin with `{`"},
      {"\xef\xbb\xbf{" + a + "}", "does not begin with `{`"},
      {"", "does not begin with `{`"},
      {"{" + a + "} x", "not JSON"},
      {"{" + a, "not JSON"},
      {"{\"\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "not JSON"},
      {many, "not JSON"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":[[[[[1]]]]]}}", "not JSON"},
  };
  for (const auto &one : cases) {
    put(scratch / "lie", fileOf(one.header, 8));
    const auto file = SafetensorsFile::openAny(scratch / "lie");
    ASSERT_FALSE(file.ok()) << one.header.substr(0, 200);
    EXPECT_NE(file.status().message().find(one.says), std::string::npos) << one.header.substr(0, 200) << "\n" << file.status().message();
  }
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::string file = fileOf("{" + a + "}", 8);
    std::memcpy(file.data(), &length, 8);
    put(scratch / "lie", file);
    EXPECT_FALSE(SafetensorsFile::openAny(scratch / "lie").ok()) << length;
  }
}

TEST(Safetensors, TakesWhatTheFormatAllows) {
  const Scratch scratch;
  // Tensors in another order than their bytes, empty ones, spaces behind the header, types without a use here.
  put(scratch / "any",
      fileOf(R"({"z":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"e":{"dtype":"I64","shape":[3,0],"data_offsets":[8,8]},)"
             R"("__metadata__":{"format":"pt"},"h":{"dtype":"F4","shape":[2,8],"data_offsets":[0,8]}}   )",
             12));
  const auto file = SafetensorsFile::openAny(scratch / "any");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ((*file)->stored().size(), 3u);
  EXPECT_EQ((*file)->stored()[0].name, "h");
  EXPECT_EQ((*file)->stored()[0].elements, 16);
  EXPECT_EQ((*file)->stored()[1].name, "e");
  EXPECT_EQ((*file)->stored()[2].name, "z");
  EXPECT_EQ((*file)->metadata().at("format"), "pt");
  put(scratch / "none", fileOf("{}", 0));
  EXPECT_TRUE(SafetensorsFile::openAny(scratch / "none").ok());
}

TEST(Safetensors, WaitsForNothing) {
  const Scratch scratch;
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  const auto file = SafetensorsFile::openAny(scratch / "fifo");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.status().message().find("a FIFO"), std::string::npos);
  EXPECT_FALSE(SafetensorsFile::openAny("/dev/zero").ok());
}

TEST(AtomicFile, LeavesTheOldContentWithoutACommit) {
  const Scratch scratch;
  ASSERT_TRUE(writeFileAtomically(scratch / "f", "old").ok());
  {
    AtomicFile file(scratch / "f");
    ASSERT_TRUE(file.open().ok());
    ASSERT_TRUE(file.write("new").ok());
  }
  EXPECT_EQ(*readWholeFile(scratch / "f"), "old");
  EXPECT_EQ(listFolder(scratch.path()).size(), 1u);
  const Status status = writeFileAtomically(scratch / "none/f", "x");
  EXPECT_EQ(status.code(), ErrorCode::environment);
}

TEST(MetricsLog, KeepsWhatWasDoneAndDropsTheRest) {
  const Scratch scratch;
  const std::string path = scratch / "metrics.jsonl";
  SplitResult result;
  result.split = "dev";
  result.values = {{"accuracy", 0.5}, {"odd \"name\"", std::nan("")}};
  {
    auto log = MetricsLog::open(path, 0, -1);
    ASSERT_TRUE(log.ok());
    for (std::int64_t step = 1; step <= 20; ++step) {
      ASSERT_TRUE((*log)->step(step, static_cast<double>(step) / 10, std::vector{ObjectiveStep{"", 0.5f, 0.001f}}, 12345.6, step).ok());
      if (step % 10 == 0) {
        ASSERT_TRUE((*log)->evaluation(step, 1, result, false).ok());
      }
    }
    ASSERT_TRUE((*log)->evaluation(20, 2, result, true).ok());
  }
  const std::string all = *readWholeFile(path);
  EXPECT_NE(all.find("{\"step\":3,\"epoch\":0.3,\"loss\":0.5,\"learning_rate\":0.001,\"tokens_per_second\":12345}\n"), all.npos);
  EXPECT_NE(all.find("\"metrics\":{\"accuracy\": 0.5, \"odd \\\"name\\\"\": null}}\n"), all.npos);
  const auto linesAfter = [&](const std::string &content, std::int64_t keep, std::int64_t evaluated = 20) {
    EXPECT_TRUE(writeFileAtomically(path, content).ok());
    EXPECT_TRUE(MetricsLog::open(path, keep, evaluated).ok());
    const std::string text = *readWholeFile(path);
    EXPECT_TRUE(all.starts_with(text));
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(linesAfter(all, 20), 22);
  EXPECT_EQ(linesAfter(all, 10), 11);
  EXPECT_EQ(linesAfter(all, 20, 10), 21) << "the evaluation of the last step is still owed";
  EXPECT_EQ(linesAfter(all, 10, -1), 10);
  EXPECT_EQ(linesAfter(all, 9), 9);
  EXPECT_EQ(linesAfter(all, 0), 0);
  EXPECT_EQ(linesAfter(all.substr(0, all.find("{\"step\":8") + 12), 20), 7);
  ASSERT_TRUE(writeFileAtomically(path, "\xff\n" + all).ok());
  EXPECT_TRUE(MetricsLog::open(path, 20, 20).ok());
  EXPECT_EQ(*readWholeFile(path), "");
}

TEST(MetricsLog, WaitsForNoReaderOfAFifo) {
  const Scratch scratch;
  const std::string path = scratch / "metrics.jsonl";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  {
    auto log = MetricsLog::open(path, 20, 20);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE((*log)->step(21, 1, std::vector{ObjectiveStep{"a", 0.5f, 0.25f}, ObjectiveStep{"b", 2, 1}}, 1, 0).ok());
  }
  EXPECT_EQ(*readWholeFile(path), "{\"step\":21,\"epoch\":1,\"a.loss\":0.5,\"a.learning_rate\":0.25,\"b.loss\":2,\"b.learning_rate\":1,"
                                  "\"tokens_per_second\":1}\n");
}

} // namespace
} // namespace penstock
