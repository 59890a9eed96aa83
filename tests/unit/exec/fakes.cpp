#include "tests/unit/exec/fakes.h"

#include "runtime/base/file.h"
#include "runtime/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <random>
#include <thread>

namespace penstock {

namespace fake {

Data &data() {
  static Data held;
  return held;
}

std::string facts() {
  const Data &now = data();
  return fmt::format(
      R"({{"version": 1, "hash": "data-{0}-{1}", "splits": {{"train": {{"records": {0}}}, "dev": {{"records": {1}}}, "test": {{"records": {2}}}}}, "vocabularies": {{"tokens": {{"size": 101, "max": 17}}}}}})",
      now.trainRecords, now.devRecords, now.testRecords);
}

} // namespace fake

namespace {

constexpr std::int64_t vocabulary = 101, classCount = 3;

class FakeDataset final : public Dataset {
public:
  FakeDataset(std::int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    offsets.push_back(0);
    for (std::int64_t r = 0; r < count; ++r) {
      const auto label = static_cast<std::int32_t>(random() % classCount);
      const std::int64_t length = 1 + random() % 17;
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t word = static_cast<std::int64_t>(random() % vocabulary);
        // every second word speaks for the class, so that there is something to learn
        ids.push_back(static_cast<std::int32_t>(i % 2 == 0 ? word : (word / classCount * classCount + label) % vocabulary));
      }
      offsets.push_back(static_cast<std::int64_t>(ids.size()));
      labels.push_back(label);
    }
  }
  std::int64_t records() const override { return static_cast<std::int64_t>(labels.size()); }
  std::int64_t tokens() const override { return static_cast<std::int64_t>(ids.size()); }
  const std::vector<std::int32_t> &classesOf(const std::string &) const override { return labels; }
  const std::vector<double> &numbersOf(const std::string &) const override { return numbers; }
  const std::vector<std::uint8_t> &setsOf(const std::string &) const override { return sets; }
  std::vector<std::string> classNames(const std::string &) const override { return {"bad", "fair", "good"}; }

  std::vector<std::int32_t> ids, labels;
  std::vector<std::int64_t> offsets;
  std::vector<double> numbers;
  std::vector<std::uint8_t> sets;
};

class FakeStream final : public BatchStream {
public:
  FakeStream(std::shared_ptr<const FakeDataset> dataset, const Plan &plan) : dataset(std::move(dataset)), plan(plan) {
    const std::int64_t count = this->dataset->records();
    perEpoch = (count + plan.batch - 1) / plan.batch;
    step = plan.firstStep;
    last = plan.lastStep >= 0 ? plan.lastStep : perEpoch;
    order.resize(static_cast<std::size_t>(count));
    for (auto *vector : {&ids, &positions, &rowRecords}) {
      vector->reserve(static_cast<std::size_t>(plan.batch) * 17);
    }
    offsets.reserve(static_cast<std::size_t>(plan.batch) + 1);
    labels.reserve(static_cast<std::size_t>(plan.batch));
    numbers.reserve(static_cast<std::size_t>(plan.batch));
    batch.records.reserve(static_cast<std::size_t>(plan.batch));
  }

  Result<const Batch *> next() override {
    if (step >= last) {
      return static_cast<const Batch *>(nullptr);
    }
    if (plan.shuffle && fake::data().beforeBatch) {
      fake::data().beforeBatch(step);
    }
    if (fake::data().microsecondsABatch > 0 && plan.shuffle) {
      std::this_thread::sleep_for(std::chrono::microseconds(fake::data().microsecondsABatch));
    }
    const std::int64_t epoch = step / perEpoch;
    if (epoch != shuffled) {
      std::iota(order.begin(), order.end(), 0);
      if (plan.shuffle) {
        std::mt19937_64 random(plan.seed * 1000003 + static_cast<std::uint64_t>(epoch));
        for (std::size_t i = order.size(); i > 1; --i) {
          std::swap(order[i - 1], order[random() % i]);
        }
      }
      shuffled = epoch;
    }
    for (auto *vector : {&ids, &positions, &rowRecords, &offsets, &labels}) {
      vector->clear();
    }
    numbers.clear();
    batch.records.clear();
    offsets.push_back(0);
    const std::int64_t from = step % perEpoch * plan.batch, to = std::min(from + plan.batch, dataset->records());
    for (std::int64_t at = from; at < to; ++at) {
      const std::int64_t record = order[static_cast<std::size_t>(at)];
      for (std::int64_t i = dataset->offsets[static_cast<std::size_t>(record)]; i < dataset->offsets[static_cast<std::size_t>(record) + 1];
           ++i) {
        ids.push_back(dataset->ids[static_cast<std::size_t>(i)]);
        rowRecords.push_back(static_cast<std::int32_t>(at - from));
        positions.push_back(static_cast<std::int32_t>(i - dataset->offsets[static_cast<std::size_t>(record)]));
      }
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
      labels.push_back(dataset->labels[static_cast<std::size_t>(record)]);
      numbers.push_back(static_cast<std::uint64_t>(record));
      batch.records.push_back(record);
    }
    axis = {
        static_cast<std::int64_t>(ids.size()), offsets.data(), rowRecords.data(), positions.data(), rowRecords.data(), positions.data()};
    inputs[0] = ids.data();
    inputs[1] = labels.data();
    batch.view = {sizeof batch.view, sizeof axis, to - from, numbers.data(), &axis, inputs};
    batch.epoch = epoch;
    batch.step = step++;
    batch.tokens = axis.rows;
    return static_cast<const Batch *>(&batch);
  }

  Result<std::span<const Batch *const>> next(std::int64_t) override { // the fixture's program takes no steps in parts
    PENSTOCK_ASSIGN(one, next());
    return std::span<const Batch *const>(&one, one == nullptr ? 0 : 1);
  }

private:
  std::shared_ptr<const FakeDataset> dataset;
  const Batch *one = nullptr;
  Plan plan;
  std::int64_t perEpoch = 0, step = 0, last = 0, shuffled = -1;
  std::vector<std::int64_t> order;
  std::vector<std::int32_t> ids, positions, rowRecords, offsets, labels;
  std::vector<std::uint64_t> numbers;
  PenstockAxisBatch axis{};
  const void *inputs[2] = {};
  Batch batch;
};

/// The largest of the class scores.
class FakeHead final : public Head {
public:
  explicit FakeHead(const ColumnField &target) : fields({targetField("label", "class", target.classes)}) {}
  const Schema &schema() const override { return fields; }
  Status build(const PenstockGraphBuilder &, PenstockNode, PenstockNode) const override {
    return invalidInput("there are no plugins here");
  }
  Status decode(const PenstockDecodeBatch &batch, std::vector<Column> &columns) const override {
    for (std::int64_t i = 0; i < batch.records; ++i) {
      const float *const row = batch.values + i * batch.width;
      const auto best = batch.width == 1 ? (row[0] >= 0.5F ? 1 : 0) : std::max_element(row, row + batch.width) - row;
      columns[0].of<std::int32_t>().push_back(static_cast<std::int32_t>(best));
      ++columns[0].rows;
    }
    return {};
  }

private:
  Schema fields;
};

class FakeAccuracy final : public Metric {
public:
  const std::vector<int> &fields() const override { return first; }
  Status add(const JudgedRecords &records) override {
    for (std::size_t i = 0; i < static_cast<std::size_t>(records.records); ++i) {
      right += records.gold->of<std::int32_t>()[i] == (*records.answers)[0].of<std::int32_t>()[i] ? 1 : 0;
      ++all;
    }
    return {};
  }
  Result<Values> result() const override {
    return Values{{{"accuracy", static_cast<double>(right) / static_cast<double>(all)}}, "a <report>\n"};
  }
  Result<std::string> save() const override { return invalidInput("there are no plugins here"); }
  Status load(const std::string &) override { return invalidInput("there are no plugins here"); }
  Status merge(const Metric &) override { return invalidInput("there are no plugins here"); }

private:
  std::vector<int> first = {0};
  std::int64_t right = 0, all = 0;
};

class FakeHost final : public PluginHost {
public:
  const std::vector<PluginManifest> &manifests() const override { return none; }
  const std::vector<Status> &problems() const override { return noProblems; }
  Result<const PluginManifest *> manifest(const std::string &, PluginKind) const override { return unknown(); }
  Result<const PenstockPlugin *> load(const std::string &, PluginKind) override { return unknown(); }
  const PenstockHost *services() const override { return nullptr; }
  Result<std::unique_ptr<PluginArguments>> arguments(const PluginManifest &, const std::string &) const override { return unknown(); }

private:
  static Status unknown() { return invalidInput("there are no plugins here"); }
  std::vector<PluginManifest> none;
  std::vector<Status> noProblems;
};

} // namespace

std::string whyNotJudged(const PluginManifest &, const JudgingSpec &) { return {}; }

Result<std::unique_ptr<Metric>> makeMetric(PluginHost &, const std::string &plugin, const std::string &, const JudgingSpec &judging) {
  if (plugin != "accuracy" || judging.gold.classes.size() != classCount) {
    return invalidInput("no metric `" + plugin + "` here");
  }
  return std::unique_ptr<Metric>(std::make_unique<FakeAccuracy>());
}

Result<std::unique_ptr<const Head>> makeHead(PluginHost &, const std::string &, const std::string &, const ColumnField *target) {
  return std::unique_ptr<const Head>(std::make_unique<FakeHead>(*target));
}

Result<std::unique_ptr<const Learner>> makeLearner(PluginHost &, const std::string &, const std::string &, const LearningSpec &,
                                                   const std::string &) {
  return invalidInput("there are no plugins here");
}

Result<std::unique_ptr<LearnerFit>> fitLearner(PluginHost &, const std::string &, const std::string &, const LearningSpec &) {
  return invalidInput("there are no plugins here");
}

Result<std::shared_ptr<const Tokenizer>> tokenizerOf(const std::shared_ptr<const Dataset> &, const std::string &, PluginHost &) {
  return internalError("the fake data have no tokenizers");
}

Result<std::vector<std::int64_t>> documentsOf(const std::shared_ptr<const Dataset> &, const std::string &, PluginHost &) {
  return internalError("the fake data have no texts");
}

Result<std::unique_ptr<TextReader>> TextReader::open(const RecordsSpec &, const std::string &, PluginHost &) {
  return invalidInput("there is no input here");
}

Result<std::shared_ptr<PluginHost>> PluginHost::create(const std::vector<std::string> &) {
  return std::shared_ptr<PluginHost>(std::make_shared<FakeHost>());
}

Result<std::shared_ptr<const ReadyRecords>> readyRecords(const RecordsSpec &, const FittedFolder &, PluginHost &) {
  return invalidInput("there is no input here");
}

Result<std::unique_ptr<RecordReader>> RecordReader::open(std::shared_ptr<const ReadyRecords>, RecordInput) {
  return invalidInput("there is no input here");
}

Result<FittedFolder> writeFitted(const RecordsSpec &, const std::string &, const std::string &folder, const FittedFolder *) {
  std::filesystem::create_directories(folder);
  PENSTOCK_TRY(writeFileAtomically(folder + "/tokenizers.json", "{}\n"));
  PENSTOCK_ASSIGN(auto hashes, hashesBelow(folder));
  return FittedFolder(folder, std::move(hashes));
}

Result<std::shared_ptr<const Dataset>> Dataset::open(const RecordsSpec &, const std::string &split, PluginHost &, const Options &) {
  const fake::Data &now = fake::data();
  const std::int64_t count = split == "train" ? now.trainRecords : split == "dev" ? now.devRecords : now.testRecords;
  return std::shared_ptr<const Dataset>(std::make_shared<FakeDataset>(count, static_cast<unsigned>(split.size())));
}

Result<std::unique_ptr<BatchStream>> BatchStream::start(std::shared_ptr<const Dataset> dataset, const Plan &plan) {
  return std::unique_ptr<BatchStream>(std::make_unique<FakeStream>(std::static_pointer_cast<const FakeDataset>(std::move(dataset)), plan));
}

namespace fake {

std::unique_ptr<PluginHost> host() { return std::make_unique<FakeHost>(); }

RunConfig config() {
  RunConfig config;
  config.name = "fixture";
  config.title = "a <small> pipeline";
  config.file = "fixture.pipe";
  config.train.objectives.resize(1);
  config.train.objectives[0].schedule = {"cosine", 0.1};
  config.train.objectives[0].optimizer.lr = 0.01;
  config.train.epochs = 3.5;
  config.train.batch = 13;
  config.target.threads = 1;
  config.resolved = {{"train.optimizer.lr", "0.01", "file"}, {"train.batch", "13", "file"}, {"target.threads", "1", "default"}};
  config.resolvedText = "train.optimizer.lr = 0.01\ntrain.batch = 13\n";
  config.answers = {{"answer", "label", "", "class", "classify"}};
  config.metrics = {{"dev", "accuracy", {}, "answer"}, {"test", "accuracy", {}, "answer"}};
  config.expectations = {{"test", "accuracy", 1, 1, ">=", 0.5, "", "fixture.pipe:9:3"}};
  return config;
}

TrainRequest request(const std::string &out, const std::string &program) {
  TrainRequest request;
  request.config = config();
  request.facts = facts();
  request.program = [program](bool) -> Result<std::string> { return program; };
  request.out = out;
  request.version = "0.0.0";
  request.resumeCommand = "penstock train fixture.pipe --resume";
  return request;
}

} // namespace fake

} // namespace penstock
