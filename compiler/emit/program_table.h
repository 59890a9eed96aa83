// What a compiled program says of itself: becomes the tables of abi/program_abi.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

struct ProgramTable {
  struct Tensor {
    std::string name;
    int tensorClass = 0; // PenstockTensorClass
    std::vector<std::int64_t> shape;
    std::int64_t offset = 0, elements = 0; // in its flat buffer
    int initializer = 0;                   // PenstockInitializer
    float scale = 0;
    bool decays = false;
    std::string notice = {}; // see PenstockNotice
  };
  /// See PenstockAxis: `parent` stands before it, -1 are the records; no extents: ragged.
  struct Axis {
    std::string name;
    int parent = -1;
    std::vector<std::int64_t> extents = {};
  };
  /// See PenstockValueType.
  struct ValueType {
    int rows = 0, axis = -1, element = 0;
    std::int64_t fixedRows = 0, width = 1;
  };
  struct Input {
    std::string name;
    ValueType type;
    bool target = false;
  };
  struct Output {
    std::string name;
    ValueType type;
  };
  struct Arena {
    std::int64_t constant = 0, perRecord = 0, perWorker = 0;
    std::vector<std::int64_t> perRow;
  };
  /// See PenstockAmount; `perRow` and `perPair` have one number an axis.
  struct Amount {
    std::int64_t constant = 0, perRecord = 0;
    std::vector<std::int64_t> perRow, perPair;
  };
  /// What a step does, for a profile.
  struct Work {
    std::string kind, what, where;
    Amount flops, bytes;
  };
  /// `function` is one of the module: (const PenstockCall *, const int64_t *numbers).
  struct Step {
    std::string function;
    std::vector<std::int64_t> numbers;
    std::optional<Work> work;
  };
  struct Entry {
    std::string name;
    int objective = 0;
    Arena arena;
    std::vector<Step> steps;
    std::vector<Output> outputs;
  };
  struct Dispatch {
    std::string kernel, implementation;
    std::vector<std::int64_t> attributes;
  };
  /// Functions of a device, and the images that hold all of them: the first serves every card, others are machine code of one
  /// architecture. See PenstockDeviceCode.
  struct DeviceFunction {
    std::string name;
    int threads = 0, shared = 0;
  };
  struct DeviceImage {
    int form = 0, architecture = 0;
    std::string bytes;
  };
  struct DeviceCode {
    std::vector<DeviceFunction> functions;
    std::vector<DeviceImage> images;
  };
  std::string level;
  DeviceCode device;
  std::vector<Axis> axes; // parents first
  std::vector<Input> inputs;
  std::vector<Tensor> tensors; // parameters, states, fitted, model states
  std::int64_t parameterElements = 0, stateElements = 0, fittedElements = 0, packedElements = 0;
  std::vector<Dispatch> dispatches;
  std::vector<std::string> symbols;
  std::vector<Entry> entries;
  std::int64_t deferredBytes = 0, deferredSteps = 0, accumulatedElements = 0;
  /// See PenstockLossInfo.
  struct Loss {
    double coefficient = 1;
    int objective = 0;
  };
  std::vector<Loss> losses; // by objective
};

} // namespace penstock
