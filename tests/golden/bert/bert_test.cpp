// Gradients and training of a pretrained BERT against PyTorch in float64. Fixtures are made by make_bert.py beside them; the
// model is the one that `tools/dev model minilm` fetches, or PENSTOCK_MINILM names. Without either the tests are skipped.
#include "compiler/frontend/frontend.h"
#include "runtime/base/program_rows.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/pretrained.h"
#include "runtime/exec/session.h"
#include "runtime/plugin/plugin_host.h"
#include "tools/penstock/compile_pipeline.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

namespace penstock {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;

std::string environment(const char *name, const std::string &otherwise) {
  const char *value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string modelFolder() {
  const std::string home = environment("HOME", "/root");
  const std::string cache = environment("PENSTOCK_CACHE", environment("XDG_CACHE_HOME", home + "/.cache") + "/penstock");
  return environment("PENSTOCK_MINILM", cache + "/models/minilm");
}

std::string goldenFolder() { return environment("PENSTOCK_GOLDEN", environment("PENSTOCK_SOURCE", ".") + "/../shared/golden") + "/minilm"; }

/// The data set that the fixtures were made from.
std::string dataFolder() {
  return environment("PENSTOCK_SHARED", environment("PENSTOCK_SOURCE", ".") + "/../shared") + "/data/prepared/work_orders";
}

/// A batch of texts' ids.
struct TestBatch {
  std::vector<std::int32_t> ids, offsets{0}, record, position, segment, labels;
  std::vector<std::uint64_t> numbers;
  PenstockAxisBatch axis{};
  const void *inputs[2] = {};
  PenstockBatch batch{};

  TestBatch(const std::vector<Ids> &texts, std::vector<std::int32_t> gold) : labels(std::move(gold)) {
    for (const Ids &text : texts) {
      ids.insert(ids.end(), text.begin(), text.end());
      for (std::size_t i = 0; i < text.size(); ++i) {
        record.push_back(static_cast<std::int32_t>(offsets.size()) - 1);
        position.push_back(static_cast<std::int32_t>(i));
      }
      numbers.push_back(numbers.size());
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
    }
    segment.resize(ids.size());
    axis = {};
    axis.rows = static_cast<std::int64_t>(ids.size());
    axis.offsets = offsets.data();
    axis.row_parent = axis.row_record = record.data();
    axis.row_position = axis.row_place = position.data();
    axis.row_segment = segment.data();
    inputs[0] = ids.data();
    inputs[1] = labels.data();
    batch = {sizeof batch, sizeof axis, static_cast<std::int64_t>(texts.size()), numbers.data(), &axis, inputs};
  }
};

class GoldenBert : public testing::Test {
protected:
  void SetUp() override {
    if (!std::filesystem::exists(modelFolder() + "/model.safetensors")) {
      GTEST_SKIP() << "there is no MiniLM in " << modelFolder() << "; `tools/dev model minilm` fetches it";
    }
    if (!std::filesystem::exists(dataFolder() + "/train.csv")) {
      GTEST_SKIP() << "there is no data set in " << dataFolder();
    }
    if (!std::filesystem::exists(goldenFolder() + "/classify.safetensors")) {
      GTEST_SKIP() << "there are no fixtures in " << goldenFolder();
    }
    ASSERT_NO_FATAL_FAILURE(read("classify.safetensors"));
  }

  /// Makes the tensors of a file of fixtures the ones that `values` finds.
  void read(const std::string &name) {
    auto file = SafetensorsFile::openAny(goldenFolder() + "/" + name);
    ASSERT_TRUE(file.ok()) << file.status().message();
    golden = *file;
    stored.clear();
    for (const StoredTensor &tensor : golden->stored()) {
      stored[tensor.name] = &tensor;
    }
  }

  /// Compiles `features`, `model` and `train` on the encoder of the folder, and gives it the pretrained weights.
  void compile(const std::string &data, const std::string &folder, const std::string &rest, int threads) {
    const std::string text = "pipe 1\npipeline golden\nparam encoder: path\nparam data: path\n" + data + "\n" + rest + "\n";
    frontend::AnalyzeOptions options;
    options.settings = {"encoder=" + modelFolder(), "data=" + folder};
    auto analysis = frontend::analyze("golden.pipe", text, options);
    ASSERT_TRUE(analysis.ok()) << analysis.status().message();
    auto plugins = PluginHost::create({environment("PENSTOCK_BUILD", ".") + "/plugins"});
    ASSERT_TRUE(plugins.ok()) << plugins.status().message();
    host = *plugins;
    auto gathered = gatherFacts(analysis->declared.records, *host, "");
    ASSERT_TRUE(gathered.ok()) << gathered.status().message();
    auto facts = addModelFacts(*gathered, analysis->modelFolders);
    ASSERT_TRUE(facts.ok()) << facts.status().message();
    completion = frontend::complete(*analysis, *facts);
    for (const auto &one : completion.diagnostics.all()) {
      EXPECT_NE(one.severity, diagnostics::Severity::error) << one.message;
    }
    ASSERT_TRUE(completion.ok);
    factsText = *facts;
    auto library = compilePipeline(completion.pipeline, *host);
    ASSERT_TRUE(library.ok()) << library.status().message();
    auto made = ThreadPool::create(threads);
    ASSERT_TRUE(made.ok());
    pool = std::move(*made);
    auto opened = Model::open(*library, hostDevice());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    model = std::move(*opened);
    auto training = TrainingSession::open(model, *pool);
    ASSERT_TRUE(training.ok()) << training.status().message();
    session = std::move(*training);
    sources.clear();
    for (const frontend::GraphNode &node : completion.pipeline.model.nodes) {
      for (const frontend::Weight &weight : node.weights) {
        const frontend::Pretrained &from = weight.pretrained;
        if (!from.folder.empty()) {
          sources.push_back({node.path + "." + weight.name, from.folder, from.tensors, from.transposed, from.skippedRows});
        }
      }
    }
    ASSERT_TRUE(model->initialize(1, *pool).ok());
    const Status loaded = loadPretrained(*model, *pool, sources);
    ASSERT_TRUE(loaded.ok()) << loaded.message();
  }

  /// A classifier on the encoder without dropout, with the pretrained weights and the fixture's head.
  void open(const std::string &train, int threads) {
    ASSERT_NO_FATAL_FAILURE(
        compile("data { source: csv(data / \"{split}.csv\"), column text = text(), column label = class(from: \"failure\") }", dataFolder(),
                "features { tokens = text |> wordpiece(encoder / \"vocab.txt\", max_length: 128) }\n"
                "model { body = bert(encoder, dropout: 0%, attention_dropout: 0%)\n"
                "  answer = tokens |> body |> bert_pooler |> classify(label) }\n"
                "train { " +
                    train + " }",
                threads));
    sources.push_back({"answer.classify_0.weight", "", {"classifier.weight"}, true, 0});
    sources.push_back({"answer.classify_0.bias", "", {"classifier.bias"}, false, 0});
    const auto parameters = model->fetch(TensorClass::parameter);
    ASSERT_TRUE(parameters.ok());
    float *flat = parameters->data();
    for (const TensorView &view : parameters->views()) {
      shapes[view.name] = view.shape;
      places[view.name] = view.data - flat;
    }
    const std::int64_t width = shapes.at("answer.classify_0.weight")[0];
    const std::vector<double> head = values("classifier.weight"), bias = values("classifier.bias");
    ASSERT_EQ(head.size(), static_cast<std::size_t>(2 * width));
    for (std::int64_t c = 0; c < 2; ++c) {
      for (std::int64_t k = 0; k < width; ++k) {
        flat[places["answer.classify_0.weight"] + k * 2 + c] = static_cast<float>(head[static_cast<std::size_t>(c * width + k)]);
      }
      flat[places["answer.classify_0.bias"] + c] = static_cast<float>(bias[static_cast<std::size_t>(c)]);
    }
    ASSERT_TRUE(model->store(*parameters).ok());
  }

  std::vector<double> values(const std::string &name) const {
    std::vector<double> out;
    const auto found = stored.find(name);
    if (found == stored.end()) {
      ADD_FAILURE() << "the fixture has no " << name;
      return out;
    }
    const StoredTensor &tensor = *found->second;
    for (std::int64_t i = 0; i < tensor.elements; ++i) {
      if (tensor.type == "F32") {
        float value;
        std::memcpy(&value, tensor.data + i * 4, 4);
        out.push_back(static_cast<double>(value));
      } else if (tensor.type == "F64") {
        double value;
        std::memcpy(&value, tensor.data + i * 8, 8);
        out.push_back(value);
      } else {
        std::int64_t value;
        std::memcpy(&value, tensor.data + i * 8, 8);
        out.push_back(static_cast<double>(value));
      }
    }
    return out;
  }

  /// The tensors of a parameter of ours in the layout of the folder, from a flat buffer that mirrors the parameters.
  std::vector<double> inFolderLayout(const PretrainedSpec &weight, std::size_t index, const float *flat) const {
    const std::vector<std::int64_t> &shape = shapes.at(weight.parameter);
    const float *data = flat + places.at(weight.parameter);
    const auto parts = static_cast<std::int64_t>(weight.tensors.size()), part = static_cast<std::int64_t>(index);
    std::vector<double> out;
    if (weight.transposed) {
      const std::int64_t inputs = shape[0], all = shape[1], outputs = all / parts;
      for (std::int64_t o = 0; o < outputs; ++o) {
        for (std::int64_t k = 0; k < inputs; ++k) {
          out.push_back(static_cast<double>(data[k * all + part * outputs + o]));
        }
      }
      return out;
    }
    const std::int64_t elements = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()) / parts;
    for (std::int64_t i = 0; i < elements; ++i) {
      out.push_back(static_cast<double>(data[part * elements + i]));
    }
    return out;
  }

  /// Ids and classes of the first records of train, in the order of the file.
  void readTrain(std::int64_t rows, std::vector<Ids> &ids, std::vector<std::int32_t> &labels) {
    const std::string fitted = testing::TempDir() + "/golden_bert_fitted";
    std::filesystem::remove_all(fitted);
    const Status written = writeFitted(completion.pipeline.records, factsText, fitted).status();
    ASSERT_TRUE(written.ok()) << written.message();
    Dataset::Options options;
    options.fitted = fitted;
    auto dataset = Dataset::open(completion.pipeline.records, "train", *host, options);
    ASSERT_TRUE(dataset.ok()) << dataset.status().message();
    BatchStream::Plan plan;
    plan.batch = 1;
    auto stream = BatchStream::start(*dataset, plan);
    ASSERT_TRUE(stream.ok()) << stream.status().message();
    for (std::int64_t row = 0; row < rows; ++row) {
      auto batch = (*stream)->next();
      ASSERT_TRUE(batch.ok() && *batch != nullptr);
      const PenstockBatch &view = (*batch)->view;
      const auto *first = static_cast<const std::int32_t *>(view.inputs[0]);
      ids.emplace_back(first, first + view.axes[0].rows);
      labels.push_back(*static_cast<const std::int32_t *>(view.inputs[1]));
    }
  }

  Result<float> step(TestBatch &batch, std::int64_t number, float rate) {
    OutputBuffers outputs;
    Session::Step call;
    call.batch = &batch.batch;
    call.number = static_cast<std::uint64_t>(number);
    call.learningRate = rate;
    PENSTOCK_TRY(session->run(model->entry("train_step"), call, &outputs));
    return outputs.values(0)[0];
  }

  std::shared_ptr<const SafetensorsFile> golden;
  std::map<std::string, const StoredTensor *> stored;
  frontend::Completion completion;
  std::string factsText;
  std::shared_ptr<PluginHost> host;
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<Model> model;
  std::unique_ptr<TrainingSession> session;
  std::vector<PretrainedSpec> sources;
  std::map<std::string, std::vector<std::int64_t>> shapes;
  std::map<std::string, std::ptrdiff_t> places;
};

double norm(const std::vector<double> &values) {
  double sum = 0;
  for (const double value : values) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

double distance(const std::vector<double> &a, const std::vector<double> &b) {
  std::vector<double> difference;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference.push_back(a[i] - b[i]);
  }
  return norm(difference);
}

// Every number of the last hidden state of each text, all texts in one batch: within 1e-5 of float64. Each text alone gives the same bits.
TEST_F(GoldenBert, LastHiddenStatesAreThoseOfFloat64) {
  ASSERT_NO_FATAL_FAILURE(read("forward.safetensors"));
  // A head of rows shows the encoder's last layer as it is; the tags that its loss needs come from a file of two words.
  const std::string folder = testing::TempDir() + "/golden_bert_tags";
  std::filesystem::create_directories(folder);
  for (const char *split : {"train", "dev", "test"}) {
    std::ofstream(folder + "/" + split + ".conll") << "pump B-item\nleaks O\n\n" << split << " O\n\n";
  }
  ASSERT_NO_FATAL_FAILURE(compile("data { source: conll(data / \"{split}.conll\", columns: [\"word\", \"tag\"]), column word = words(), "
                                  "column tag = tags(scheme: iob2) }",
                                  folder,
                                  "features { tokens = word |> wordpiece(encoder / \"vocab.txt\", max_length: 128) }\n"
                                  "head rows(x, target: tags) {\n"
                                  "  logits = x |> linear(count(target))\n"
                                  "  answer: x\n"
                                  "  loss: cross_entropy(logits, target)\n"
                                  "}\n"
                                  "model { body = bert(encoder, dropout: 0%, attention_dropout: 0%)\n"
                                  "  answer = tokens |> body |> rows(tag) }\n"
                                  "train { optimizer: adamw(lr: 1e-4) }",
                                  2));
  const int predict = model->entry("predict");
  ASSERT_GE(predict, 0);
  const PenstockEntry &entry = entriesOf(model->table())[predict];
  ASSERT_EQ(entry.outputs.count, 1);
  ASSERT_EQ(outputsOf(entry)[0].type->rows, PENSTOCK_ROWS_AXIS);
  const auto width = static_cast<std::size_t>(outputsOf(entry)[0].type->width);
  ASSERT_TRUE(model->pack(*pool).ok());
  const auto hiddenOf = [&](const std::vector<Ids> &texts) {
    TestBatch batch(texts, {});
    OutputBuffers outputs;
    Session::Step call;
    call.batch = &batch.batch;
    const Status ran = session->run(predict, call, &outputs);
    EXPECT_TRUE(ran.ok()) << ran.message();
    return std::vector<float>(outputs.values(0), outputs.values(0) + batch.ids.size() * width);
  };
  std::vector<Ids> texts;
  std::vector<double> theirs;
  for (int k = 0; stored.count("ids_" + std::to_string(k)) > 0; ++k) {
    const std::vector<double> ids = values("ids_" + std::to_string(k)), hidden = values("hidden_" + std::to_string(k));
    texts.emplace_back(ids.begin(), ids.end());
    theirs.insert(theirs.end(), hidden.begin(), hidden.end());
  }
  ASSERT_GE(texts.size(), 2U);
  const std::vector<float> ours = hiddenOf(texts);
  ASSERT_EQ(ours.size(), theirs.size());
  double worst = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(ours[i]) - theirs[i]));
  }
  EXPECT_LE(worst, 1e-5);
  std::printf("largest difference of a hidden state: %.2g, %zu texts\n", worst, texts.size());
  auto at = ours.begin();
  for (const Ids &text : texts) {
    const std::vector<float> alone = hiddenOf({text});
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), at)) << "a text of " << text.size() << " ids";
    at += static_cast<std::ptrdiff_t>(alone.size());
  }
}

// |g - g*| <= 1e-5 max(|g*|, 1e-3 |all g*|) for the gradient g of each parameter. SGD's momentum holds the gradient exactly after
// the first step.
TEST_F(GoldenBert, GradientsAreThoseOfFloat64) {
  ASSERT_NO_FATAL_FAILURE(open("optimizer: sgd(lr: 1e-3, momentum: 0.5), batch: 16", 2));
  const std::vector<double> ids = values("input_ids"), mask = values("attention_mask"), labels = values("labels");
  const std::size_t width = ids.size() / labels.size();
  std::vector<Ids> texts(labels.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (mask[i] != 0) {
      texts[i / width].push_back(static_cast<std::int32_t>(ids[i]));
    }
  }
  TestBatch batch(texts, std::vector<std::int32_t>(labels.begin(), labels.end()));
  const Result<float> loss = step(batch, 0, 0.0F);
  ASSERT_TRUE(loss.ok()) << loss.status().message();
  EXPECT_NEAR(*loss, values("loss")[0], 1e-6);

  double all = 0;
  for (const auto &[name, tensor] : stored) {
    if (name.rfind("grad.", 0) == 0 && !name.ends_with(".stride97") && !name.ends_with(".rows")) {
      const std::vector<double> g = values(name);
      all += name.ends_with(".norm") ? g[0] * g[0] : norm(g) * norm(g);
    }
  }
  all = std::sqrt(all);
  int checked = 0;
  ASSERT_TRUE(session->complete().ok());
  const auto moments = model->fetch(TensorClass::state);
  ASSERT_TRUE(moments.ok());
  const float *gradients = moments->data();
  for (const PretrainedSpec &weight : sources) {
    for (std::size_t i = 0; i < weight.tensors.size(); ++i) {
      std::string name = weight.tensors[i].rfind("classifier", 0) == 0 ? "grad." + weight.tensors[i]
                         : weight.tensors[i].rfind("bert.", 0) == 0    ? "grad." + weight.tensors[i]
                                                                       : "grad.bert." + weight.tensors[i];
      const std::vector<double> mine = inFolderLayout(weight, i, gradients);
      if (name.find("word_embeddings") != std::string::npos) {
        const std::vector<double> rows = values("grad.word_embeddings.rows");
        std::vector<double> touched;
        const std::size_t hidden = static_cast<std::size_t>(shapes.at(weight.parameter)[1]);
        for (const double row : rows) {
          const auto at = mine.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(row) * hidden);
          touched.insert(touched.end(), at, at + static_cast<std::ptrdiff_t>(hidden));
        }
        EXPECT_NEAR(norm(touched), norm(mine), 1e-12) << "a row that no token names has a gradient";
        if (stored.count("grad.word_embeddings.values") > 0) {
          const std::vector<double> theirs = values("grad.word_embeddings.values");
          EXPECT_LE(distance(touched, theirs), 1e-5 * std::max(norm(theirs), 1e-3 * all)) << name;
        } else {
          std::vector<double> sample;
          for (std::size_t k = 0; k < touched.size(); k += 97) {
            sample.push_back(touched[k]);
          }
          const std::vector<double> theirs = values("grad.word_embeddings.values.stride97");
          const double whole = values("grad.word_embeddings.values.norm")[0];
          ASSERT_EQ(sample.size(), theirs.size());
          EXPECT_LE(distance(sample, theirs) * std::sqrt(97.0), 1e-5 * std::max(whole, 1e-3 * all)) << name;
          EXPECT_NEAR(norm(touched), whole, 1e-5 * std::max(whole, 1e-3 * all)) << name;
        }
      } else if (stored.count(name) > 0) {
        const std::vector<double> theirs = values(name);
        ASSERT_EQ(mine.size(), theirs.size()) << name;
        EXPECT_LE(distance(mine, theirs), 1e-5 * std::max(norm(theirs), 1e-3 * all)) << name << ", norm " << norm(theirs);
      } else {
        std::vector<double> sample;
        for (std::size_t k = 0; k < mine.size(); k += 97) {
          sample.push_back(mine[k]);
        }
        const std::vector<double> theirs = values(name + ".stride97");
        const double whole = values(name + ".norm")[0];
        ASSERT_EQ(sample.size(), theirs.size()) << name;
        // The sample stands for all elements, every 97th of them.
        EXPECT_LE(distance(sample, theirs) * std::sqrt(97.0), 1e-5 * std::max(whole, 1e-3 * all)) << name << ", norm " << whole;
        EXPECT_NEAR(norm(mine), whole, 1e-5 * std::max(whole, 1e-3 * all)) << name;
      }
      ++checked;
    }
  }
  EXPECT_EQ(checked, 105); // of MiniLM's six layers, pooler and classifier included
}

// 100 steps of AdamW with warm-up, weight decay and clipping: within 1e-5 of float64 for 20 steps, within 1e-4 for all.
TEST_F(GoldenBert, TrainingFollowsFloat64) {
  ASSERT_NO_FATAL_FAILURE(open("optimizer: adamw(lr: 5e-5, weight_decay: 0.01), clip_norm: 1, batch: 16", 2));
  std::ifstream file(goldenFolder() + "/trajectory.json");
  const Json trajectory = Json::parse(file, nullptr, false);
  ASSERT_TRUE(trajectory.is_object());
  std::vector<Ids> ids;
  std::vector<std::int32_t> labels;
  ASSERT_NO_FATAL_FAILURE(readTrain(trajectory["rows"].get<std::int64_t>(), ids, labels));
  const auto losses = trajectory["loss_float64"].get<std::vector<double>>(),
             rates = trajectory["learning_rates"].get<std::vector<double>>();
  double worstEarly = 0, worst = 0;
  for (std::size_t s = 0; s < losses.size(); ++s) {
    std::vector<Ids> batch;
    std::vector<std::int32_t> gold;
    for (const std::size_t row : trajectory["batches"][s].get<std::vector<std::size_t>>()) {
      batch.push_back(ids[row]);
      gold.push_back(labels[row]);
    }
    TestBatch made(batch, gold);
    const Result<float> loss = step(made, static_cast<std::int64_t>(s), static_cast<float>(rates[s]));
    ASSERT_TRUE(loss.ok()) << loss.status().message();
    const double difference = std::abs(static_cast<double>(*loss) - losses[s]);
    (s < 20 ? worstEarly : worst) = std::max(s < 20 ? worstEarly : worst, difference);
  }
  EXPECT_LE(worstEarly, 1e-5);
  EXPECT_LE(worst, 1e-4);
  std::printf("largest difference of the loss: %.2g in the first 20 steps, %.2g later\n", worstEarly, worst);
}

} // namespace
} // namespace penstock
