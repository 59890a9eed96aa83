// Records and answers as structs of C, on a run of bags of words (PENSTOCK_RUN): many sessions of one model at once give equal answers, and
// a call does not allocate for each of its records. Built with a thread sanitizer, no race.
#include "runtime/artifact/c_session.h"
#include "runtime/device/device.h"
#include "runtime/exec/run_folder.h"
#include "tests/unit/allocations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;

namespace {

/// As the header declares it for a text that is classified into two classes.
struct Given {
  const char *data;
  std::size_t size;
};
struct Answered {
  const char *error;
  std::int32_t label;
  const char *name;
  float confidence;
  float probabilities[2];
};

class CSessions : public testing::Test {
protected:
  void SetUp() override {
    const char *const run = std::getenv("PENSTOCK_RUN");
    if (run == nullptr) {
      GTEST_SKIP() << "PENSTOCK_RUN names no run";
    }
    Result<RunRecord> read = readRunRecord(run);
    ASSERT_TRUE(read.ok()) << read.status().message();
    record = std::move(read).value();
    host = PluginHost::create({}).value();
    pool = ThreadPool::create(1).value();
    model = Model::open(std::string(run) + "/program.so", hostDevice()).value();
    const auto weights = SafetensorsFile::open(std::string(run) + "/model.safetensors", record.weightsHash).value();
    ASSERT_TRUE(model->load(TensorClass::parameter, *weights).ok());
    ASSERT_TRUE(model->load(TensorClass::fitted, *weights).ok());
    ASSERT_TRUE(model->pack(*pool).ok());
    auto opened = Predictor::open(record.config, FittedFolder(std::string(run) + "/fitted", record.fitted), *host, *model);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    predictor = std::move(opened).value();
    layout = typesOf("words", *predictor);
    ASSERT_EQ(layout.record.stride(), sizeof(Given));
    ASSERT_EQ(layout.answer.stride(), sizeof(Answered));
    for (int i = 0; i < 61; ++i) {
      std::string text;
      for (int word = 0; word < i % 13; ++word) {
        text += std::string(word == 0 ? "" : " ") + words[static_cast<std::size_t>(i * 7 + word * word) % std::size(words)];
      }
      texts.push_back(text);
    }
    for (const std::string &text : texts) {
      records.push_back({text.data(), text.size()});
    }
  }

  std::vector<Answered> answersOf(CSession &session) const {
    std::vector<Answered> answers(records.size());
    const Status status = session.predict(records.data(), records.size(), answers.data());
    EXPECT_TRUE(status.ok()) << status.message();
    return answers;
  }
  static bool areEqual(const std::vector<Answered> &a, const std::vector<Answered> &b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].label != b[i].label || std::memcmp(a[i].probabilities, b[i].probabilities, sizeof a[i].probabilities) != 0 ||
          std::strcmp(a[i].name, b[i].name) != 0) {
        return false;
      }
    }
    return a.size() == b.size();
  }

  static constexpr const char *words[] = {"pump",  "leaks",     "oil",         "replace", "filter",
                                          "noise", "hydraulic", "unknownword", "bucket",  "service"};
  RunRecord record;
  std::shared_ptr<PluginHost> host;
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<Model> model;
  std::unique_ptr<const Predictor> predictor;
  CLayout layout;
  std::vector<std::string> texts;
  std::vector<Given> records;
};

} // namespace

TEST_F(CSessions, EightThreadsAnswerAlike) {
  const long predictions = std::getenv("PENSTOCK_PREDICTIONS") == nullptr ? 10000 : std::atol(std::getenv("PENSTOCK_PREDICTIONS"));
  const auto session = Session::open(model, *pool).value();
  CSession own(*predictor, layout, *session);
  const std::vector<Answered> expected = answersOf(own);
  std::atomic<int> others{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto mine = ThreadPool::create(1).value();
      const auto running = Session::open(model, *mine).value();
      CSession session(*predictor, layout, *running);
      for (long done = 0; done < predictions / 8; done += static_cast<long>(records.size())) {
        others += areEqual(answersOf(session), expected) ? 0 : 1;
      }
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(others.load(), 0);
}

TEST_F(CSessions, OneByOneAndTogetherAreAlike) {
  const auto session = Session::open(model, *pool).value();
  CSession together(*predictor, layout, *session), single(*predictor, layout, *session);
  const std::vector<Answered> expected = answersOf(together);
  for (std::size_t i = 0; i < records.size(); ++i) {
    Answered answer{};
    ASSERT_TRUE(single.predict(&records[i], 1, &answer).ok());
    EXPECT_EQ(answer.error, nullptr);
    EXPECT_EQ(std::memcmp(answer.probabilities, expected[i].probabilities, sizeof answer.probabilities), 0) << i;
  }
  EXPECT_TRUE(single.predict(nullptr, 0, nullptr).ok());
}

TEST_F(CSessions, TextThatIsNoUtf8HasAnErrorAndTheOthersAnswers) {
  const auto session = Session::open(model, *pool).value();
  CSession mixed(*predictor, layout, *session);
  const std::vector<Given> given = {records[5], {"\xff\xfe", 2}, records[7]};
  std::vector<Answered> answers(3);
  ASSERT_TRUE(mixed.predict(given.data(), given.size(), answers.data()).ok());
  EXPECT_EQ(answers[0].error, nullptr);
  ASSERT_NE(answers[1].error, nullptr);
  EXPECT_EQ(answers[1].label, -1);
  EXPECT_STREQ(answers[1].name, "");
  EXPECT_TRUE(std::isnan(answers[1].confidence) && std::isnan(answers[1].probabilities[1]));
  EXPECT_FALSE(mixed.predict(nullptr, 3, answers.data()).ok());
  EXPECT_FALSE(mixed.predict(given.data(), given.size(), nullptr).ok());
  EXPECT_NE(std::string(answers[1].error).find("UTF-8"), std::string::npos) << answers[1].error;
  EXPECT_EQ(answers[2].error, nullptr);
}

TEST_F(CSessions, ACallDoesNotAllocateForEachRecord) {
  if (!countsAllocations) {
    GTEST_SKIP() << "a sanitizer counts for itself";
  }
  const auto session = Session::open(model, *pool).value();
  CSession warm(*predictor, layout, *session);
  std::vector<Answered> answers(records.size());
  const auto allocated = [&](std::size_t count) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(warm.predict(records.data(), records.size(), answers.data()).ok());
    }
    const long before = allocations.load();
    EXPECT_TRUE(warm.predict(records.data(), count, answers.data()).ok());
    return allocations.load() - before;
  };
  EXPECT_LT(allocated(records.size()) - allocated(13), static_cast<long>(records.size() - 13) / 4);
}
