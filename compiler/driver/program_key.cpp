#include "compiler/driver/program_key.h"

#include "runtime/base/hash.h"
#include "runtime/base/pipeline_value.h"

#include <fmt/format.h>

namespace penstock {
namespace {

using frontend::Attribute;
using frontend::Attributes;
using frontend::GraphNode;

// Every text is preceded by its length, so that no two models have one canonical text.
void put(std::string &out, const std::string &text) { out += fmt::format("{}:{} ", text.size(), text); }
void put(std::string &out, std::int64_t number) { out += fmt::format("{} ", number); }
void put(std::string &out, int number) { out += fmt::format("{} ", number); }
void put(std::string &out, bool flag) { out += flag ? "true " : "false "; }
void put(std::string &out, double number) { out += fmt::format("{:a} ", number); }
template <typename T> void put(std::string &out, const std::vector<T> &items) {
  out += fmt::format("[{} ", items.size());
  for (const T &item : items) {
    put(out, item);
  }
  out += "] ";
}
void put(std::string &out, const Attributes &attributes) {
  out += fmt::format("{{{} ", attributes.size());
  for (const auto &[name, value] : attributes) {
    put(out, name);
    out += fmt::format("#{} ", value.index());
    std::visit([&](const auto &held) { put(out, held); }, value);
  }
  out += "} ";
}
void put(std::string &out, const frontend::ValueType &type) {
  put(out, static_cast<int>(type.rows));
  for (const frontend::Axis &axis : type.axes) {
    put(out, axis.name);
    put(out, axis.extents);
  }
  put(out, type.width);
  put(out, static_cast<int>(type.element));
  put(out, type.values);
}

void put(std::string &out, const frontend::Learning &learning) {
  put(out, learning.rate);
  put(out, learning.frozen);
  put(out, learning.objective);
}

} // namespace

std::string canonicalProgram(const frontend::TypedPipeline &pipeline) {
  std::string out;
  PipelineValue value = pipeline;
  value.target.level.clear(); // the driver's, who knows what stands for none
  put(out, canonicalText(value, keysPrograms));
  for (const GraphNode &node : pipeline.model.nodes) {
    out += fmt::format("\nnode {} ", static_cast<int>(node.kind));
    put(out, node.op);
    put(out, node.operands);
    put(out, node.attributes);
    put(out, node.type);
    put(out, node.path);
    put(out, node.learning);
    for (const frontend::Weight &weight : node.weights) {
      out += "weight ";
      put(out, weight.name);
      put(out, weight.shape);
      put(out, static_cast<int>(weight.initializer));
      put(out, weight.scale);
      put(out, weight.decays);
      put(out, weight.learning);
      put(out, weight.state);
      if (!weight.fit.empty()) {
        put(out, weight.fit);
      }
    }
  }
  for (const frontend::Answer &answer : pipeline.model.answers) {
    out += "\nanswer ";
    put(out, answer.name);
    put(out, answer.head);
    put(out, answer.value);
    put(out, answer.loss);
  }
  return out;
}

std::string placesOf(const frontend::TypedPipeline &pipeline) {
  std::string out;
  for (const GraphNode &node : pipeline.model.nodes) {
    put(out, node.range.file);
    put(out, static_cast<std::int64_t>(node.range.line));
  }
  return out;
}

std::string keyOf(const std::string &text) { return hash128(text).hex(); }

} // namespace penstock
