// Encoders: `bert(...)` and its kin become operations of the language, whose weights a folder of a pretrained model may give.
#pragma once

#include "compiler/frontend/check/graph_builder.h"
#include "compiler/frontend/encoders.h"

namespace penstock::frontend {

class EncoderBuilder {
public:
  EncoderBuilder(const Facts *facts, GraphBuilder &builder, Settings &settings, Reporter &reporter);

  /// The last rows of an encoder over `ids`; `at` is where they flow in.
  Value encoder(const Instance &instance, const Value &ids, const Span &at, const std::string &path, const Span &span);
  /// `bert_pooler`: with the weights of the folder where `rows` come from an encoder that has one.
  Value pooler(const Instance &instance, const Value &rows, const Span &at, const std::string &path, const Span &span);

  /// `embedding(..., file: ...)`: reports a file that cannot be used, or has rows of another width.
  void checkVectors(const Attributes &attributes, const Span &span);

  /// Folders of pretrained models, and files of vectors, that the model names, in order.
  const std::vector<std::string> &folders() const { return named; }
  const std::vector<EncoderUse> &encoders() const { return uses; }

private:
  class Expansion;

  std::optional<EncoderShape> shapeOf(const Instance &instance, const Span &span, const Facts::Model **model);
  std::optional<EncoderShape> shapeInFolder(const Instance &instance, const std::string &folder, const Facts::Model **model);
  std::optional<EncoderShape> shapeOfCall(const Instance &instance, const Span &span);
  void resolveShape(const Instance &instance, const EncoderShape &shape, const std::string &path);
  int emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &path, const Span &span);
  /// `tensors`: of the weights of the node in a pretrained folder, weight by weight.
  void takePretrained(int node, const std::vector<std::vector<std::string>> &tensors, const std::string &folder, const Facts::Model *model,
                      std::int64_t skippedRows, const Span &span);
  /// Why the folder's tensors do not make up a weight, "" where they do; their names go into the weight.
  std::string takeTensors(const std::vector<std::string> &tensors, const Facts::Model &model, bool table, std::int64_t skippedRows,
                          Weight &weight);

  const Facts *facts;
  GraphBuilder &builder;
  Settings &settings;
  Reporter &reporter;
  std::vector<std::string> named;
  std::vector<EncoderUse> uses;
  struct Made { // what a pooler knows of the encoder that made its input
    EncoderShape::Family family;
    std::string folder;
  };
  std::map<int, Made> made; // by the last node of an encoder
};

} // namespace penstock::frontend
