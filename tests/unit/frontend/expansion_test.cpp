// From text and facts to the model graph: shapes, weights, paths, sharing.
#include "compiler/frontend/operations.h"
#include "tests/unit/frontend/test_plugins.h"

#include <gtest/gtest.h>

#include <set>

using namespace penstock::frontend;
using namespace penstock::frontend::testing;

namespace {

Completion build(const std::string &text, std::vector<std::string> settings = {}) {
  auto analysis = analyze("/folder/example.pipe", text, options(std::move(settings)));
  EXPECT_TRUE(analysis.ok());
  Completion completion = complete(*analysis, facts());
  for (const auto &one : completion.diagnostics.all()) {
    ADD_FAILURE() << one.id << " " << one.range.line << ": " << one.message;
  }
  return completion;
}

std::map<std::string, std::vector<std::int64_t>> weightsOf(const TypedPipeline &pipeline) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const GraphNode &node : pipeline.model.nodes) {
    for (const Weight &weight : node.weights) {
      shapes[node.path + "." + weight.name] = weight.shape;
    }
  }
  return shapes;
}

std::vector<std::string> pathsOf(const TypedPipeline &pipeline, const std::string &op) {
  std::vector<std::string> paths;
  for (const GraphNode &node : pipeline.model.nodes) {
    if (node.op == op) {
      paths.push_back(node.path);
    }
  }
  return paths;
}

using Shape = std::vector<std::int64_t>;

} // namespace

TEST(Expansion, GivesEveryOperationItsShapeAndWeights) {
  const Completion made = build(pipelineWith("  h = tokens |> embedding(17) |> conv1d(width: 3, maps: 13) |> relu\n"
                                             "  answer = h |> pool(max) |> dropout(10%) |> classify(label)"));
  ASSERT_TRUE(made.ok);
  const auto weights = weightsOf(made.pipeline);
  EXPECT_EQ(weights.at("h.embedding_0.weight"), (Shape{1009, 17}));
  EXPECT_EQ(weights.at("h.conv1d_0.weight"), (Shape{3, 17, 13}));
  EXPECT_EQ(weights.at("h.conv1d_0.bias"), (Shape{13}));
  ASSERT_EQ(made.pipeline.model.answers.size(), 1u);
  const Answer &answer = made.pipeline.model.answers[0];
  EXPECT_EQ(answer.target, "label");
  EXPECT_EQ(answer.decoder, "classify");
  const GraphNode &value = made.pipeline.model.nodes[static_cast<std::size_t>(answer.value)];
  EXPECT_EQ(value.op, "answer_of");
  EXPECT_EQ(value.type.width, 3);
  const GraphNode &head = made.pipeline.model.nodes[static_cast<std::size_t>(answer.head)];
  EXPECT_EQ(head.kind, GraphNode::Kind::head);
  EXPECT_EQ(head.path, "answer.classify_0");
  EXPECT_EQ(made.pipeline.model.nodes[static_cast<std::size_t>(head.operands[0])].type.width, 13);
  EXPECT_FALSE(made.pipeline.trains());
  EXPECT_FALSE(made.pipeline.trains());
}

TEST(Expansion, GivesEveryWeightItsRate) {
  const std::string model = "  e = tokens |> embedding(8)\n  h = e |> positions(learned) |> repeat(3, block())\n"
                            "  answer = h |> layer_norm |> pool(mean) |> classify(label)";
  const std::string layers = "layer block(x) {\n  inner = x |> linear(8) |> relu |> linear(8)\n  x + inner\n}\n";
  const auto learning = [&](const std::string &train) {
    const Completion made = build(pipelineWith(model, layers + "train {\n" + train + "\n}\n"));
    std::map<std::string, std::string> all;
    for (const GraphNode &node : made.pipeline.model.nodes) {
      for (const Weight &weight : node.weights) {
        all[node.path + "." + weight.name] = weight.learning.frozen ? "frozen" : std::to_string(weight.learning.rate);
      }
      if (node.kind == GraphNode::Kind::head) {
        all[node.path] = node.learning.frozen ? "frozen" : std::to_string(node.learning.rate);
      }
    }
    return all;
  };
  // What follows a weight decides: all three blocks follow the tables, none follows the last block.
  auto rates = learning("  rates: [decay(h.block, 0.5), times(answer, 10), times(h.block[1..2].inner.linear_1.bias, 3)]");
  EXPECT_EQ(rates.at("e.embedding_0.weight"), "0.125000");
  EXPECT_EQ(rates.at("h.positions_0.weight"), "0.125000");
  EXPECT_EQ(rates.at("h.block_0.inner.linear_0.weight"), "0.250000");
  EXPECT_EQ(rates.at("h.block_0.inner.linear_1.bias"), "0.250000");
  EXPECT_EQ(rates.at("h.block_1.inner.linear_0.weight"), "0.500000");
  EXPECT_EQ(rates.at("h.block_1.inner.linear_1.bias"), "1.500000");
  EXPECT_EQ(rates.at("h.block_2.inner.linear_0.weight"), "1.000000");
  EXPECT_EQ(rates.at("h.block_2.inner.linear_1.bias"), "3.000000");
  EXPECT_EQ(rates.at("answer.layer_norm_0.weight"), "10.000000");
  EXPECT_EQ(rates.at("answer.classify_0"), "10.000000");

  auto frozen = learning("  freeze: [e, h.block[1..2], h.block_0.inner.linear_1.bias, answer.classify]");
  std::set<std::string> names;
  for (const auto &[name, how] : frozen) {
    if (how == "frozen") {
      names.insert(name);
    }
  }
  EXPECT_EQ(names,
            (std::set<std::string>{"e.embedding_0.weight", "h.block_1.inner.linear_0.weight", "h.block_1.inner.linear_0.bias",
                                   "h.block_1.inner.linear_1.weight", "h.block_1.inner.linear_1.bias", "h.block_2.inner.linear_0.weight",
                                   "h.block_2.inner.linear_0.bias", "h.block_2.inner.linear_1.weight", "h.block_2.inner.linear_1.bias",
                                   "h.block_0.inner.linear_1.bias", "answer.classify_0"}));
}

TEST(Expansion, StandsInTopologicalOrder) {
  const Completion made = build(pipelineWith("  h = tokens |> embedding(17)\n  answer = (h + h * 2) |> pool(mean) |> classify(label)",
                                             "train { minimize: answer.loss + 0.5 * l2(h) }\n"));
  const ModelGraph &graph = made.pipeline.model;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const int operand : graph.nodes[i].operands) {
      EXPECT_LT(operand, static_cast<int>(i));
      EXPECT_GE(operand, 0);
    }
  }
  ASSERT_GE(made.pipeline.train.objectives.front().loss, 0);
  EXPECT_EQ(graph.nodes[static_cast<std::size_t>(made.pipeline.train.objectives.front().loss)].op, "add");
  EXPECT_EQ(pathsOf(made.pipeline, "l2").size(), 1u);
}

TEST(Expansion, InlinesLayersAndUnrollsRepeat) {
  const std::string layer = "layer encoder_block(x, heads: int, hidden: int, drop: float = 0.1) {\n"
                            "  a = x |> self_attention(heads) |> dropout(drop)\n  h = layer_norm(x + a)\n"
                            "  f = h |> linear(hidden) |> gelu |> linear(width(x)) |> dropout(drop)\n  layer_norm(h + f)\n}\n";
  const Completion made = build(pipelineWith("  h = tokens |> embedding(width: 20) |> positions(learned, max: 31)\n"
                                             "         |> repeat(3, encoder_block(heads: 5, hidden: 37))\n"
                                             "  answer = h |> pool(mean) |> classify(label)",
                                             layer));
  const auto weights = weightsOf(made.pipeline);
  EXPECT_EQ(weights.at("h.positions_0.weight"), (Shape{31, 20}));
  for (const std::string block : {"h.encoder_block_0", "h.encoder_block_1", "h.encoder_block_2"}) {
    EXPECT_EQ(weights.at(block + ".a.self_attention_0.in_weight"), (Shape{20, 60}));
    EXPECT_EQ(weights.at(block + ".f.linear_0.weight"), (Shape{20, 37}));
    EXPECT_EQ(weights.at(block + ".f.linear_1.weight"), (Shape{37, 20}));
    EXPECT_EQ(weights.at(block + ".layer_norm_0.weight"), (Shape{20}));
    EXPECT_EQ(weights.at(block + ".h.layer_norm_0.bias"), (Shape{20}));
  }
  EXPECT_EQ(weights.count("h.encoder_block_3.f.linear_0.weight"), 0u);
}

TEST(Expansion, SharesTheWeightsOfABoundInstance) {
  const Completion made = build(pipelineWith("  block = linear(7)\n  h = tokens |> embedding(7)\n  a = h |> block\n  b = block(a)\n"
                                             "  c = h |> linear(7) |> linear(7)\n  answer = concat(b, c) |> pool(max) |> classify(label)"));
  EXPECT_EQ(pathsOf(made.pipeline, "linear"), (std::vector<std::string>{"block", "block", "c.linear_0", "c.linear_1"}));
  EXPECT_EQ(weightsOf(made.pipeline).count("block.weight"), 1u);
}

TEST(Expansion, SharesTheWeightsOfABoundLayer) {
  const Completion made = build(pipelineWith("  net = twice(11)\n  a = tokens |> embedding(5) |> net\n  b = tokens |> embedding(5) |> net\n"
                                             "  answer = concat(a |> pool(max), b |> pool(max)) |> classify(label)",
                                             "layer twice(x, n: int) { x |> linear(n) |> linear(width(x)) }\n"));
  EXPECT_EQ(pathsOf(made.pipeline, "linear"), (std::vector<std::string>{"net.linear_0", "net.linear_1", "net.linear_0", "net.linear_1"}));
}

TEST(Expansion, KeepsOrdinalsClearOfBindings) {
  const Completion made = build(pipelineWith("  answer = tokens |> embedding(5) |> pool(max) |> l |> classify(label)",
                                             "layer l(x) {\n  linear_0 = x |> relu\n  linear_0 |> linear(3)\n}\n"));
  EXPECT_EQ(pathsOf(made.pipeline, "linear"), (std::vector<std::string>{"answer.l_0.linear_1"}));
}

TEST(Expansion, ExpandsAHeadOfTheLanguage) {
  const Completion made = build(pipelineWith("  answer = tokens |> embedding(5) |> classify_max(label)",
                                             "head classify_max(x, target: class) {\n  logits = x |> pool(max) |> linear(count(target))\n"
                                             "  answer: softmax(logits)\n  loss: cross_entropy(logits, target)\n}\ntrain { epochs: 3 }\n"));
  ASSERT_EQ(made.pipeline.model.answers.size(), 1u);
  const Answer &answer = made.pipeline.model.answers[0];
  EXPECT_EQ(answer.head, -1);
  EXPECT_EQ(made.pipeline.model.nodes[static_cast<std::size_t>(answer.value)].op, "softmax");
  EXPECT_EQ(made.pipeline.model.nodes[static_cast<std::size_t>(answer.loss)].op, "cross_entropy");
  EXPECT_EQ(made.pipeline.train.objectives.front().loss, answer.loss);
  EXPECT_EQ(weightsOf(made.pipeline).at("answer.classify_max_0.logits.linear_0.weight"), (Shape{5, 3}));
}

TEST(Expansion, TakesSeveralAnswers) {
  const Completion made =
      build(pipelineWith("  h = tokens |> embedding(5) |> pool(max)\n  fails = h |> classify(label)\n  price = h |> regress(cost)",
                         "train { minimize: fails.loss + 0.1 * price.loss }\n"
                         "evaluate { test: [f1(answer: fails), mse(answer: price)], expect test.mse <= 3 }\n"));
  ASSERT_EQ(made.pipeline.model.answers.size(), 2u);
  EXPECT_EQ(made.pipeline.model.answers[1].target, "cost");
  ASSERT_EQ(made.pipeline.metrics.size(), 2u);
  EXPECT_EQ(made.pipeline.metrics[1].answer, "price");
  ASSERT_EQ(made.pipeline.expectations.size(), 1u);
  EXPECT_EQ(made.pipeline.expectations[0].metric, "mse");
}

TEST(Expansion, UnknownSizesAreMinusOneWithoutFacts) {
  auto analysis =
      analyze("/folder/example.pipe", pipelineWith("  answer = tokens |> embedding(5) |> pool(max) |> classify(label)"), options());
  ASSERT_TRUE(analysis.ok());
  const Completion made = completeWithoutFacts(*analysis);
  EXPECT_TRUE(made.ok);
  EXPECT_EQ(made.pipeline.model.nodes[0].type.values, -1);
  EXPECT_TRUE(weightsOf(made.pipeline).empty());
  ASSERT_EQ(analysis->declared.records.sources.size(), 1u);
  EXPECT_EQ(analysis->declared.records.sources[0].path, "/folder/{split}.csv");
}

TEST(Operations, CountOperandsAndWeights) {
  const auto arity = [](const char *name) {
    const auto found = arityOf(name);
    return found ? std::vector<std::size_t>{found->operands, found->mostOperands, found->weights, found->mostWeights}
                 : std::vector<std::size_t>{};
  };
  using Counts = std::vector<std::size_t>;
  EXPECT_EQ(arity("linear"), (Counts{1, 1, 1, 2}));
  EXPECT_EQ(arity("positions"), (Counts{1, 1, 0, 1}));
  EXPECT_EQ(arity("self_attention"), (Counts{1, 1, 4, 4}));
  EXPECT_EQ(arity("concat"), (Counts{1, ~std::size_t{0}, 0, 0}));
  EXPECT_EQ(arity("cross_entropy"), (Counts{2, 2, 0, 0}));
  EXPECT_EQ(arity("sub"), (Counts{2, 2, 0, 0}));
  EXPECT_EQ(arity("bert"), Counts{}); // no graph has it
  EXPECT_EQ(arity("linea"), Counts{});
}

TEST(Settings, ReachParamsSettingsAndArguments) {
  const Completion made =
      build(pipelineWith("  answer = tokens |> counts |> classify(label)",
                         "train { optimizer: adam(lr: rate), epochs: 3, batch: search([16, 32], default: 16) }\n"),
            {"rate=0.5", "train.steps=41", "train.optimizer.beta1=0.25", "train.schedule=linear(warmup: 10%)", "target.threads=3"});
  EXPECT_EQ(made.pipeline.train.objectives[0].optimizer.lr, 0.5);
  EXPECT_EQ(made.pipeline.train.objectives[0].optimizer.beta1, 0.25);
  EXPECT_EQ(made.pipeline.train.steps, 41);
  EXPECT_EQ(made.pipeline.train.batch, 16);
  EXPECT_EQ(made.pipeline.train.objectives[0].schedule.kind, "linear");
  EXPECT_DOUBLE_EQ(made.pipeline.train.objectives[0].schedule.warmupFraction, 0.1);
  EXPECT_EQ(made.pipeline.target.threads, 3);
  std::map<std::string, std::string> origins;
  for (const ResolvedValue &value : made.pipeline.resolved) {
    origins[value.key] = value.origin;
  }
  EXPECT_EQ(origins.at("rate"), "command line");
  EXPECT_EQ(origins.at("train.optimizer.lr"), "command line");
  EXPECT_EQ(origins.at("train.optimizer"), "file");
  EXPECT_EQ(origins.at("train.optimizer.beta2"), "default");
  EXPECT_EQ(origins.at("train.batch"), "search default");
  EXPECT_EQ(origins.count("train.epochs"), 0u);
}

TEST(Settings, CreateAnAbsentBlock) {
  const Completion made = build(pipelineWith("  answer = tokens |> counts |> classify(label)"), {"train.steps=5"});
  EXPECT_TRUE(made.pipeline.trains());
  EXPECT_GE(made.pipeline.train.objectives.front().loss, 0);
}

TEST(Settings, AMalformedOneIsAUsageError) {
  const auto analysis = analyze("/folder/example.pipe", "pipe 1\n", options({"no equals sign"}));
  ASSERT_FALSE(analysis.ok());
  EXPECT_EQ(analysis.status().code(), penstock::ErrorCode::usage);
}
