// Training runs of the fixture program: results, resume, kills, refusals, full disks, what a step may not do.
#include "runtime/base/temporary_name.h"
#include "runtime/exec/checkpoint.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/model.h"
#include "runtime/exec/trainer.h"
#include "tests/unit/exec/fakes.h"
#include "tests/unit/exec/scratch.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

namespace penstock {
namespace {

std::string built(const std::string &name) { return std::filesystem::canonical("/proc/self/exe").parent_path().string() + "/" + name; }
std::string fixture() { return built("exec_fixture.so"); }

std::string contentOf(const std::string &path) {
  Result<std::string> text = readWholeFile(path);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? *text : "";
}

std::string modelOf(const std::string &run) { return contentOf(run + "/model.safetensors"); }

std::int64_t linesOf(const std::string &text) { return std::count(text.begin(), text.end(), '\n'); }

class Training : public ::testing::Test {
protected:
  void SetUp() override {
    setInterrupted(false);
    fake::data() = {};
  }
  void TearDown() override { SetUp(); }

  Result<TrainOutcome> train(const TrainRequest &request) { return trainRun(request, *host); }
  TrainRequest request(const std::string &name) { return fake::request(scratch / name, fixture()); }

  const Scratch scratch;
  const std::unique_ptr<PluginHost> host = fake::host();
};

// 211 records in batches of 13: 17 steps an epoch; 3.5 epochs: 60 steps; evaluations after 17, 34, 51 and 60.
TEST_F(Training, LeavesACompleteRunFolder) {
  TrainRequest request = this->request("run");
  request.config.train.keepMetric = "dev.accuracy";
  const Result<TrainOutcome> outcome = train(request);
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(outcome->record.stepsPerEpoch, 17);
  EXPECT_EQ(outcome->record.totalSteps, 60);
  ASSERT_EQ(outcome->record.results.size(), 2u);
  EXPECT_GT(*outcome->record.results[1].find("accuracy"), 0.6);
  ASSERT_EQ(outcome->expectations.size(), 1u);
  EXPECT_TRUE(outcome->expectations[0].holds);

  const std::string log = contentOf(request.out + "/metrics.jsonl");
  std::int64_t steps = 0, evaluations = 0, finals = 0;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("\"split\"") == line.npos) {
      ++steps;
      EXPECT_TRUE(line.starts_with("{\"step\":" + std::to_string(steps) + ",")) << line;
      for (const char *key : {"\"epoch\":", "\"loss\":", "\"learning_rate\":", "\"tokens_per_second\":"}) {
        EXPECT_NE(line.find(key), line.npos) << line;
      }
    } else {
      ++(line.find("\"final\":true") == line.npos ? evaluations : finals);
    }
  }
  EXPECT_EQ(steps, 60);
  EXPECT_EQ(evaluations, 4);
  EXPECT_GE(finals, 1);

  const Result<RunRecord> record = readRunRecord(request.out);
  ASSERT_TRUE(record.ok()) << record.status().message();
  EXPECT_TRUE(record->finished);
  EXPECT_EQ(record->config.classesOf(record->config.answers[0]), (std::vector<std::string>{"bad", "fair", "good"}));
  RunConfig config = record->config;
  config.classes.clear();
  EXPECT_EQ(config.toJson(), request.config.toJson());
  EXPECT_EQ(record->results[1].values, outcome->record.results[1].values);
  const std::size_t files = listFolder(request.out + "/checkpoints").size(); // two checkpoints and the best weights of each
  EXPECT_TRUE(files == 3 || files == 4) << files;
  const std::string report = contentOf(request.out + "/report.html");
  EXPECT_NE(report.find("<polyline class=\"train\""), report.npos);
  EXPECT_NE(report.find("a &lt;small&gt; pipeline"), report.npos);
  EXPECT_NE(report.find("a &lt;report&gt;"), report.npos);

  const auto model = SafetensorsFile::open(request.out + "/model.safetensors");
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->tensors().size(), 2u);
  EXPECT_NE((*model)->find("answer.linear_0.weight"), nullptr);
}

// Measuring changes no bit; what a step did is counted from its batch.
TEST_F(Training, ProfileSaysWhereTheTimeWent) {
  ASSERT_TRUE(train(request("plain")).ok());
  TrainRequest request = this->request("profiled");
  request.profile = true;
  const Result<TrainOutcome> outcome = train(request);
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(modelOf(request.out), modelOf(scratch / "plain"));
  EXPECT_NE(outcome->profile.find("profile of 60 training steps"), std::string::npos) << outcome->profile;
  EXPECT_NE(outcome->profile.find("words.pipe:7  bag of words"), std::string::npos) << outcome->profile;
  const auto trace = nlohmann::json::parse(contentOf(request.out + "/profile.json"), nullptr, false);
  ASSERT_TRUE(trace.is_object());
  std::int64_t steps = 0;
  double last = -1;
  for (const auto &event : trace["traceEvents"]) {
    EXPECT_GE(event["ts"].get<double>(), last); // one after another
    last = event["ts"].get<double>();
    if (event["args"]["entry"] == "train_step") {
      ++steps;
      EXPECT_EQ(event["name"], "bag of words");
      // 13 records a batch (3 in the last of an epoch), 5 a record and 6 a row.
      const auto flops = event["args"]["flops"].get<double>();
      const double records = steps % 17 == 0 ? 3 : 13;
      EXPECT_GE(flops, records * (5 + 6));
      EXPECT_EQ(std::fmod(flops - 5 * records, 6), 0);
    }
  }
  EXPECT_EQ(steps, 60);
}

TEST_F(Training, GivesTheSameBitsAtAnyNumberOfThreads) {
  ASSERT_TRUE(train(request("one")).ok());
  for (const int threads : {2, 5}) {
    TrainRequest request = this->request("many" + std::to_string(threads));
    request.config.target.threads = threads;
    request.config.resolvedText += "target.threads = " + std::to_string(threads) + "\n";
    ASSERT_TRUE(train(request).ok());
    EXPECT_EQ(modelOf(request.out), modelOf(scratch / "one"));
  }
  TrainRequest other = request("other");
  other.config.train.seed = 43;
  ASSERT_TRUE(train(other).ok());
  EXPECT_NE(modelOf(other.out), modelOf(scratch / "one"));
}

TEST_F(Training, KeepsTheBestWeights) {
  TrainRequest best = request("best");
  best.config.train.keepMetric = "dev.loss";
  best.config.train.keepHigher = true; // the highest loss: an early step, so that best and last differ
  ASSERT_TRUE(train(best).ok());
  const Result<RunRecord> record = readRunRecord(best.out);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->keptStep, 17);
  TrainRequest last = request("last");
  ASSERT_TRUE(train(last).ok());
  EXPECT_NE(modelOf(best.out), modelOf(last.out));
  // the kept weights are those of a run that ends at that step
  TrainRequest early = request("early");
  early.config.train.steps = 17;
  early.config.train.objectives[0].schedule = {};
  TrainRequest same = request("same");
  same.config.train.objectives[0].schedule = {};
  same.config.train.keepMetric = "dev.loss";
  ASSERT_TRUE(train(early).ok());
  ASSERT_TRUE(train(same).ok());
  const auto a = SafetensorsFile::open(early.out + "/model.safetensors"), b = SafetensorsFile::open(same.out + "/model.safetensors");
  ASSERT_TRUE(a.ok() && b.ok());
  const TensorView *x = (*a)->find("answer.linear_0.weight"), *y = (*b)->find("answer.linear_0.weight");
  EXPECT_EQ(std::vector<float>(x->data, x->data + x->elements), std::vector<float>(y->data, y->data + y->elements));

  TrainRequest absent = request("absent");
  absent.config.train.keepMetric = "dev.f1_macro";
  const Result<TrainOutcome> outcome = train(absent);
  EXPECT_EQ(outcome.status().code(), ErrorCode::invalidInput);
  EXPECT_NE(outcome.status().message().find("dev.f1_macro"), std::string::npos);
}

TEST_F(Training, ContinuesAfterAnInterruptAtEveryStep) {
  TrainRequest whole = request("whole");
  whole.config.train.keepMetric = "dev.accuracy";
  ASSERT_TRUE(train(whole).ok());
  const std::string log = contentOf(whole.out + "/metrics.jsonl");
  for (std::int64_t stop = 1; stop < 60; stop += 4) {
    TrainRequest cut = request("cut" + std::to_string(stop));
    cut.config.train.keepMetric = "dev.accuracy";
    fake::data().beforeBatch = [&](std::int64_t step) { setInterrupted(step + 1 == stop); };
    const Result<TrainOutcome> first = train(cut);
    ASSERT_EQ(first.status().code(), ErrorCode::interrupted);
    EXPECT_NE(first.status().message().find("--resume"), std::string::npos);
    setInterrupted(false);
    fake::data().beforeBatch = nullptr;
    cut.resume = true;
    const Result<TrainOutcome> second = train(cut);
    ASSERT_TRUE(second.ok()) << second.status().message();
    EXPECT_EQ(second->resumedAt, stop);
    EXPECT_EQ(modelOf(cut.out), modelOf(whole.out)) << stop;
    EXPECT_EQ(linesOf(contentOf(cut.out + "/metrics.jsonl")), linesOf(log)) << stop;
  }
}

TEST_F(Training, ResumesAFinishedRunWithoutChangingIt) {
  TrainRequest request = this->request("run");
  ASSERT_TRUE(train(request).ok());
  const std::string model = modelOf(request.out), log = contentOf(request.out + "/metrics.jsonl");
  request.resume = true;
  request.program = [](bool) -> Result<std::string> { return internalError("must not compile again"); };
  const Result<TrainOutcome> again = train(request);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(modelOf(request.out), model);
  EXPECT_EQ(linesOf(contentOf(request.out + "/metrics.jsonl")), linesOf(log));
}

TEST_F(Training, ResumesAFinishedRunWhoseCheckpointsAreGone) {
  for (const bool best : {false, true}) {
    TrainRequest request = this->request(best ? "best" : "last");
    if (best) {
      request.config.train.keepMetric = "dev.accuracy";
    }
    request.keepCheckpoints = false;
    const Result<TrainOutcome> first = train(request);
    ASSERT_TRUE(first.ok()) << first.status().message();
    EXPECT_FALSE(fileExists(request.out + "/checkpoints"));
    const std::string model = modelOf(request.out), log = contentOf(request.out + "/metrics.jsonl");
    request.resume = true;
    const Result<TrainOutcome> again = train(request);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->resumedAt, first->record.totalSteps);
    EXPECT_EQ(again->record.keptStep, first->record.keptStep);
    EXPECT_EQ(again->record.seconds, first->record.seconds);
    EXPECT_EQ(modelOf(request.out), model);
    EXPECT_EQ(linesOf(contentOf(request.out + "/metrics.jsonl")), linesOf(log));
    const std::string file = request.out + "/model.safetensors";
    std::string bytes = contentOf(file);
    bytes[bytes.size() - 3] ^= 1;
    ASSERT_TRUE(writeFileAtomically(file, bytes).ok());
    const Status damaged = train(request).status();
    EXPECT_EQ(damaged.code(), ErrorCode::environment);
    EXPECT_NE(damaged.message().find("--keep-checkpoints"), std::string::npos) << damaged.message();
  }
}

TEST_F(Training, FallsBackToTheCheckpointBefore) {
  TrainRequest whole = request("whole");
  ASSERT_TRUE(train(whole).ok());
  for (const char *file : {"weights.safetensors", "state.json"}) {
    for (const bool cut : {false, true}) {
      TrainRequest request = this->request(std::string("run") + file + (cut ? "cut" : ""));
      request.checkpointSeconds = 0; // after every step
      fake::data().beforeBatch = [&](std::int64_t step) { setInterrupted(step == 40); };
      ASSERT_EQ(train(request).status().code(), ErrorCode::interrupted);
      setInterrupted(false);
      fake::data().beforeBatch = nullptr;
      const std::string checkpoints = request.out + "/checkpoints/", newest = checkpoints + listFolder(checkpoints).back() + "/" + file;
      std::string bytes = contentOf(newest);
      if (cut) {
        bytes.resize(bytes.size() / 2);
      } else {
        bytes[bytes.size() / 2] ^= 1;
      }
      ASSERT_TRUE(writeFileAtomically(newest, bytes).ok());
      request.resume = true;
      request.checkpointSeconds = 30;
      const Result<TrainOutcome> outcome = train(request);
      ASSERT_TRUE(outcome.ok()) << outcome.status().message();
      EXPECT_EQ(outcome->resumedAt, 40);
      EXPECT_EQ(outcome->warnings.size(), 1u);
      EXPECT_EQ(modelOf(request.out), modelOf(whole.out));
    }
  }
  TrainRequest none = request("none");
  ASSERT_TRUE(train(none).ok());
  for (const std::string &name : listFolder(none.out + "/checkpoints")) {
    ASSERT_TRUE(writeFileAtomically(none.out + "/checkpoints/" + name + "/state.json", "{}").ok());
  }
  none.resume = true;
  EXPECT_EQ(train(none).status().code(), ErrorCode::environment);
}

TEST_F(Training, RefusesFoldersThatHoldSomething) {
  TrainRequest request = this->request("run");
  ASSERT_TRUE(makeFolders(request.out).ok());
  ASSERT_TRUE(writeFileAtomically(request.out + "/mine.txt", "dear").ok());
  for (const bool resume : {false, true}) {
    request.resume = resume;
    const Status status = train(request).status();
    EXPECT_EQ(status.code(), ErrorCode::environment);
    EXPECT_EQ(contentOf(request.out + "/mine.txt"), "dear");
    EXPECT_NE(status.message().find(resume ? "mine.txt" : "--resume"), std::string::npos) << status.message();
  }
  ASSERT_TRUE(removeAll(request.out + "/mine.txt").ok());
  ASSERT_TRUE(train(request).ok()) << "an empty folder, with --resume";

  TrainRequest begun = this->request("begun"); // what a run leaves that was killed before its first checkpoint
  ASSERT_TRUE(makeFolders(begun.out + "/fitted").ok());
  ASSERT_TRUE(makeFolders(begun.out + "/checkpoints/.penstock-tmp-77-step-000000000017").ok());
  ASSERT_TRUE(writeFileAtomically(begun.out + "/.penstock-tmp-77-run.json", "{").ok());
  ASSERT_TRUE(writeFileAtomically(begun.out + "/metrics.jsonl", "{\"step\":1,").ok());
  begun.resume = true;
  EXPECT_EQ(train(begun).status().code(), ErrorCode::environment) << "without the mark of a run it may be anybody's";
  RunRecord record;
  record.config = begun.config;
  ASSERT_TRUE(writeRunRecord(begun.out, record).ok());
  begun.resume = false; // there is nothing to lose
  ASSERT_TRUE(train(begun).ok());
  EXPECT_EQ(modelOf(begun.out), modelOf(request.out));
  for (const std::string &folder : {begun.out, begun.out + "/fitted", begun.out + "/checkpoints"}) {
    for (const std::string &name : listFolder(folder)) {
      EXPECT_FALSE(isTemporaryName(name)) << folder << "/" << name;
    }
  }

  for (const char *name : {"../run.json", "/etc/hostname", "below/../../run.json", "./tokens.state"}) {
    RunRecord astray = record;
    astray.fitted = {{name, "0123456789abcdef"}};
    ASSERT_TRUE(writeRunRecord(begun.out, astray).ok());
    const Result<RunRecord> read = readRunRecord(begun.out);
    EXPECT_NE(read.status().message().find("lies elsewhere"), std::string::npos) << name << ": " << read.status().message();
  }

  TrainRequest other = this->request("other"); // another program's run.json
  ASSERT_TRUE(makeFolders(other.out).ok());
  ASSERT_TRUE(writeFileAtomically(other.out + "/run.json", "{\"kilometers\": 5}").ok());
  for (const bool resume : {false, true}) {
    other.resume = resume;
    EXPECT_EQ(train(other).status().code(), ErrorCode::environment);
    EXPECT_TRUE(fileExists(other.out + "/run.json"));
  }

  TrainRequest file = this->request("file");
  ASSERT_TRUE(writeFileAtomically(file.out, "x").ok());
  EXPECT_EQ(train(file).status().code(), ErrorCode::environment);
  TrainRequest below = this->request("file/run");
  EXPECT_EQ(train(below).status().code(), ErrorCode::environment);

  // A trained model without a run.json is not the beginning of a run.
  ASSERT_TRUE(removeAll(request.out + "/checkpoints").ok());
  ASSERT_TRUE(removeAll(request.out + "/run.json").ok());
  request.resume = true;
  EXPECT_EQ(train(request).status().code(), ErrorCode::environment);
  EXPECT_TRUE(fileExists(request.out + "/model.safetensors"));
}

TEST_F(Training, RefusesToResumeAnotherPipelineOrOtherData) {
  TrainRequest request = this->request("run");
  ASSERT_TRUE(train(request).ok());
  request.resume = true;
  TrainRequest threads = request;
  threads.config.resolved[2].value = "2";
  EXPECT_TRUE(train(threads).ok());
  TrainRequest other = request;
  other.config.resolved[0].value = "0.02";
  other.config.resolved.push_back({"train.clip", "1", "command line"});
  const Status status = train(other).status();
  EXPECT_EQ(status.code(), ErrorCode::environment);
  for (const char *part : {"train.optimizer.lr", "0.01", "0.02", "train.clip", "not set"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  EXPECT_EQ(status.message().find("train.batch"), std::string::npos);
  TrainRequest model = request;
  model.config.resolvedText += "node answer.linear_0 linear %1 width=5\n";
  EXPECT_NE(train(model).status().message().find("answer.linear_0"), std::string::npos);
  fake::data().devRecords = 31;
  request.facts = fake::facts();
  EXPECT_NE(train(request).status().message().find("data changed"), std::string::npos);
}

TEST_F(Training, StopsAtALossThatIsNotFinite) {
  TrainRequest request = this->request("run");
  request.config.train.objectives[0].optimizer.lr = 1e38;
  request.config.train.objectives[0].schedule = {};
  const Status status = train(request).status();
  EXPECT_EQ(status.code(), ErrorCode::invalidInput);
  EXPECT_NE(status.message().find("loss of step"), std::string::npos) << status.message();
  EXPECT_FALSE(fileExists(request.out + "/model.safetensors"));
}

TEST_F(Training, RefusesProgramsThatItCannotRun) {
  for (const auto &[file, part] : {std::pair{"exec_fixture_abi.so", "version 9."},
                                   {"exec_fixture_minor.so", "version 6.99"},
                                   {"exec_fixture_level.so", "avx9999"},
                                   {"exec_count_calls.so", "the seal at its end"},
                                   {"none.so", "is not there"}}) {
    const Status status = Model::open(built(file), hostDevice()).status();
    EXPECT_FALSE(status.ok()) << file;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

// ---- in processes of their own ----

pid_t start(const std::string &out, const std::vector<std::string> &arguments, const std::string &errors = "/dev/null",
            const std::vector<std::string> &environment = {}) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(file, STDERR_FILENO);
    for (const std::string &variable : environment) {
      ::putenv(const_cast<char *>(variable.c_str()));
    }
    std::vector<std::string> all = {built("exec_train_child"), out, fixture()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char *> pointers;
    for (std::string &argument : all) {
      pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    ::execv(pointers[0], pointers.data());
    ::_exit(99);
  }
  return child;
}

int exitOf(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST_F(Training, SurvivesKillsAtRandomMoments) {
  const std::vector<std::string> arguments = {"steps=400", "wait=300", "checkpoint=0.003", "best=1"};
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(exitOf(start(scratch / "whole", arguments)), 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const char *many = std::getenv("PENSTOCK_KILLS");
  const int wanted = many == nullptr ? 8 : std::atoi(many);
  std::mt19937 random(5);
  int kills = 0, finished = 0;
  for (int run = 0; kills < wanted && run < wanted + 10; ++run) {
    const std::string out = scratch / ("run" + std::to_string(run));
    for (int attempt = 0; attempt < 30; ++attempt) {
      std::vector<std::string> resumed = arguments;
      if (attempt > 0) {
        resumed.push_back("resume=1");
      }
      if (attempt % 2 == 1) {
        resumed.push_back("threads=3");
      }
      const pid_t child = start(out, resumed);
      const double wait = std::uniform_real_distribution<double>(0.001, seconds * 0.6)(random);
      std::this_thread::sleep_for(std::chrono::duration<double>(wait));
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) == child) {
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        break;
      }
      ::kill(child, SIGKILL);
      ++kills;
      exitOf(child);
    }
    ASSERT_EQ(exitOf(start(out,
                           [&] {
                             auto last = arguments;
                             last.push_back("resume=1");
                             return last;
                           }())),
              0);
    ++finished;
    EXPECT_EQ(modelOf(out), modelOf(scratch / "whole"));
    std::string log = contentOf(out + "/metrics.jsonl");
    std::int64_t step = 0;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("\"split\"") == line.npos) {
        EXPECT_TRUE(line.starts_with("{\"step\":" + std::to_string(++step) + ",")) << line;
      }
    }
    EXPECT_EQ(step, 400);
    ASSERT_TRUE(removeAll(out).ok());
  }
  EXPECT_GE(kills, wanted);
  RecordProperty("kills", kills);
  RecordProperty("runs", finished);
}

TEST_F(Training, SavesAtCtrlCAndDiesAtTheSecond) {
  const std::vector<std::string> arguments = {"steps=100000", "wait=200"};
  const std::string out = scratch / "run", errors = scratch / "errors";
  const pid_t child = start(out, arguments, errors);
  while (!fileExists(out + "/metrics.jsonl")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ::kill(child, SIGINT);
  EXPECT_EQ(exitOf(child), 130);
  EXPECT_NE(contentOf(errors).find("continue with\n  penstock train fixture.pipe --resume"), std::string::npos);
  EXPECT_TRUE(CheckpointStore(out + "/checkpoints").any());

  const pid_t stubborn = start(scratch / "two", {"steps=1000", "wait=900000"}, errors); // waits for data
  while (!fileExists(scratch / "two/metrics.jsonl")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(stubborn, SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(stubborn, SIGINT);
  EXPECT_EQ(exitOf(stubborn), 1000 + SIGINT);
}

TEST_F(Training, KeepsTheLastCheckpointWhenTheDiskIsFull) {
  // metrics.jsonl outgrows the limit long after the first checkpoint.
  const std::vector<std::string> arguments = {"steps=3000", "checkpoint=0.02"};
  ASSERT_EQ(exitOf(start(scratch / "whole", arguments)), 0);
  const std::string out = scratch / "run", errors = scratch / "errors";
  std::vector<std::string> limited = arguments;
  limited.push_back("fsize=100000");
  EXPECT_EQ(exitOf(start(out, limited, errors)), 4);
  const std::string message = contentOf(errors);
  EXPECT_NE(message.find("metrics.jsonl"), message.npos) << message;
  EXPECT_NE(message.find("is good"), message.npos) << message;
  std::vector<std::string> resumed = arguments;
  resumed.push_back("resume=1");
  ASSERT_EQ(exitOf(start(out, resumed, errors)), 0) << contentOf(errors);
  EXPECT_EQ(modelOf(out), modelOf(scratch / "whole"));

  std::vector<std::string> tiny = {"steps=100", "fsize=2000"}; // not even the first checkpoint fits
  EXPECT_EQ(exitOf(start(scratch / "tiny", tiny, errors)), 4);
}

TEST_F(Training, LocksItsFolder) {
  const std::string out = scratch / "run";
  const pid_t child = start(out, {"steps=100000", "wait=200", "checkpoint=0.01"});
  while (!CheckpointStore(out + "/checkpoints").any()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  TrainRequest second = request("run");
  second.resume = true;
  EXPECT_NE(train(second).status().message().find("another process"), std::string::npos);
  ::kill(child, SIGKILL);
  exitOf(child);
}

TEST_F(Training, AllocatesAndLocksNothingInAStep) {
  const std::string counts = scratch / "counts";
  ASSERT_EQ(exitOf(start(scratch / "run", {"steps=2000", "threads=3"}, scratch / "errors",
                         {"LD_PRELOAD=" + built("exec_count_calls.so"), "PENSTOCK_COUNT_CALLS=" + counts, "PENSTOCK_COUNT_FROM=34"})),
            0)
      << contentOf(scratch / "errors");
  std::ifstream file(counts);
  std::string name;
  long training = 0, others = 0, lines = 0;
  while (file >> name >> training >> others) {
    ++lines;
    if (name == "steps") {
      EXPECT_EQ(training, 2000 - 34);
    } else {
      EXPECT_EQ(training, 0) << name;
      EXPECT_EQ(others, 0) << name;
    }
  }
  EXPECT_EQ(lines, 4);
}

} // namespace
} // namespace penstock
