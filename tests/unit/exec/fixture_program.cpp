// A program written by hand against runtime/abi/program_abi.h, as the compiler would emit it: bag of words -> softmax, Adam.
// Tokens are dropped by a hash of (seed, step, record, position), so that a wrong step or record number changes the weights.
// The runtime's unit tests train it; FIXTURE_ABI and FIXTURE_LEVEL make variants that must be refused.
#include "runtime/abi/program_abi.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef FIXTURE_ABI
#define FIXTURE_ABI PENSTOCK_PROGRAM_ABI_MAJOR
#endif
#ifndef FIXTURE_LEVEL
#define FIXTURE_LEVEL "avx2"
#endif

namespace {

constexpr std::int64_t vocabulary = 101, classes = 3, weightElements = vocabulary * classes;
constexpr std::int64_t biasOffset = 320; // the next multiple of 64
constexpr std::int64_t flatElements = biasOffset + 64;
static_assert(weightElements <= biasOffset);

// Arena: gradient (flat), then logits (records x classes).
constexpr std::int64_t gradientBytes = flatElements * 4;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

bool dropped(const PenstockCall *call, std::uint64_t record, std::int32_t position) {
  return mix(mix(mix(call->seed + 1) ^ (call->step + 1)) ^ (record * 1000003 + static_cast<std::uint64_t>(position))) % 10 == 0;
}

struct Forward {
  const PenstockCall *call;
  float *probabilities;
  bool drop;
};

void forwardRecords(void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
  const auto &self = *static_cast<Forward *>(context);
  const PenstockBatch &batch = *self.call->batch;
  const auto *ids = static_cast<const std::int32_t *>(batch.inputs[0]);
  const float *weight = self.call->parameters, *bias = weight + biasOffset;
  for (std::int64_t r = begin; r < end; ++r) {
    float logits[classes];
    std::memcpy(logits, bias, sizeof(logits));
    for (std::int32_t i = batch.axes[0].offsets[r]; i < batch.axes[0].offsets[r + 1]; ++i) {
      if (self.drop && dropped(self.call, batch.record_numbers[r], batch.axes[0].row_position[i])) {
        continue;
      }
      for (std::int64_t c = 0; c < classes; ++c) {
        logits[c] += weight[ids[i] * classes + c];
      }
    }
    float top = logits[0];
    for (std::int64_t c = 1; c < classes; ++c) {
      top = logits[c] > top ? logits[c] : top;
    }
    float sum = 0;
    for (float &logit : logits) {
      logit = std::exp(logit - top);
      sum += logit;
    }
    for (std::int64_t c = 0; c < classes; ++c) {
      self.probabilities[r * classes + c] = logits[c] / sum;
    }
  }
}

void forward(const PenstockCall *call, float *probabilities, bool drop) {
  using Parallel = void (*)(void *, void (*)(void *, std::int64_t, std::int64_t, std::int32_t), void *, std::int64_t, std::int64_t);
  const auto parallel = reinterpret_cast<Parallel>(call->symbols[0]);
  Forward self{call, probabilities, drop};
  parallel(call->pool, forwardRecords, &self, call->batch->records, 8);
}

float lossOf(const PenstockCall *call, const float *probabilities) {
  const auto *gold = static_cast<const std::int32_t *>(call->batch->inputs[1]);
  float sum = 0;
  for (std::int64_t r = 0; r < call->batch->records; ++r) {
    sum -= std::log(probabilities[r * classes + gold[r]] + 1e-30f);
  }
  return sum / static_cast<float>(call->batch->records);
}

void pack(const PenstockCall *, const std::int64_t *) {}

void trainStep(const PenstockCall *call, const std::int64_t *) {
  auto *gradient = reinterpret_cast<float *>(call->arena);
  auto *probabilities = reinterpret_cast<float *>(call->arena + gradientBytes);
  const PenstockBatch &batch = *call->batch;
  const auto *ids = static_cast<const std::int32_t *>(batch.inputs[0]);
  const auto *gold = static_cast<const std::int32_t *>(batch.inputs[1]);
  forward(call, probabilities, true);
  *static_cast<float *>(call->outputs[0]) = lossOf(call, probabilities);
  std::memset(gradient, 0, gradientBytes);
  for (std::int64_t r = 0; r < batch.records; ++r) {
    for (std::int64_t c = 0; c < classes; ++c) {
      const float g = (probabilities[r * classes + c] - (gold[r] == c ? 1.0f : 0.0f)) / static_cast<float>(batch.records);
      gradient[biasOffset + c] += g;
      for (std::int32_t i = batch.axes[0].offsets[r]; i < batch.axes[0].offsets[r + 1]; ++i) {
        if (!dropped(call, batch.record_numbers[r], batch.axes[0].row_position[i])) {
          gradient[ids[i] * classes + c] += g;
        }
      }
    }
  }
  float *m = call->states, *v = call->states + flatElements;
  const float t = static_cast<float>(call->step + 1);
  const float correction1 = 1 - std::pow(0.9f, t), correction2 = 1 - std::pow(0.999f, t);
  for (std::int64_t i = 0; i < flatElements; ++i) {
    m[i] = 0.9f * m[i] + 0.1f * gradient[i];
    v[i] = 0.999f * v[i] + 0.001f * gradient[i] * gradient[i];
    call->parameters[i] -= call->learning_rate * (m[i] / correction1) / (std::sqrt(v[i] / correction2) + 1e-8f);
  }
}

void evaluate(const PenstockCall *call, const std::int64_t *) {
  auto *probabilities = static_cast<float *>(call->outputs[1]);
  forward(call, probabilities, false);
  *static_cast<float *>(call->outputs[0]) = lossOf(call, probabilities);
}

void predict(const PenstockCall *call, const std::int64_t *) { forward(call, static_cast<float *>(call->outputs[0]), false); }

const char *const axes[] = {"tokens"};
const PenstockInputInfo inputs[] = {{"tokens", PENSTOCK_INPUT_IDS, 0, 0}, {"label", PENSTOCK_INPUT_CLASS, -1, 1}};
const std::int64_t weightShape[] = {vocabulary, classes}, biasShape[] = {classes};
const PenstockTensorInfo tensors[] = {
    {"answer.linear_0.weight", PENSTOCK_PARAMETER, 2, weightShape, 0, weightElements, PENSTOCK_INIT_UNIFORM, 0.1f, 1},
    {"answer.linear_0.bias", PENSTOCK_PARAMETER, 1, biasShape, biasOffset, classes, PENSTOCK_INIT_NORMAL, 0.1f, 0},
    {"adam.m/answer.linear_0.weight", PENSTOCK_STATE, 2, weightShape, 0, weightElements, PENSTOCK_INIT_ZEROS, 0, 0},
    {"adam.m/answer.linear_0.bias", PENSTOCK_STATE, 1, biasShape, biasOffset, classes, PENSTOCK_INIT_ZEROS, 0, 0},
    {"adam.v/answer.linear_0.weight", PENSTOCK_STATE, 2, weightShape, flatElements, weightElements, PENSTOCK_INIT_ZEROS, 0, 0},
    {"adam.v/answer.linear_0.bias", PENSTOCK_STATE, 1, biasShape, flatElements + biasOffset, classes, PENSTOCK_INIT_ZEROS, 0, 0},
};
const char *const symbols[] = {"penstock_parallel_for"};
const PenstockOutputInfo trainOutputs[] = {{"loss", 1, 0}};
const PenstockOutputInfo evaluateOutputs[] = {{"loss", 1, 0}, {"answer.probabilities", classes, 1}};
const PenstockOutputInfo predictOutputs[] = {{"answer.probabilities", classes, 1}};
const std::int64_t noRows[] = {0};
const std::int64_t rowFlops[] = {2 * classes}, noPairs[] = {0}, pairBytes[] = {1};
const PenstockStepWork trainWork = {
    "rows", "bag of words", "words.pipe:7", {0, 5, rowFlops, noPairs}, {gradientBytes, 0, noPairs, pairBytes}};
const PenstockStep packSteps[] = {{pack, nullptr, nullptr}}, trainSteps[] = {{trainStep, nullptr, &trainWork}},
                   evaluateSteps[] = {{evaluate, nullptr, nullptr}}, predictSteps[] = {{predict, nullptr, nullptr}};
const PenstockEntry entries[] = {
    {"pack", 1, packSteps, {0, 0, noRows, 0}, 0, nullptr},
    {"train_step", 1, trainSteps, {gradientBytes, classes * 4, noRows, 0}, 1, trainOutputs},
    {"evaluate", 1, evaluateSteps, {0, 0, noRows, 0}, 2, evaluateOutputs},
    {"predict", 1, predictSteps, {0, 0, noRows, 0}, 1, predictOutputs},
};
const PenstockProgram program = {sizeof(PenstockProgram),
                                 FIXTURE_ABI,
                                 PENSTOCK_PROGRAM_ABI_MINOR,
                                 FIXTURE_LEVEL,
                                 1,
                                 axes,
                                 2,
                                 inputs,
                                 6,
                                 tensors,
                                 flatElements,
                                 2 * flatElements,
                                 0,
                                 0,
                                 nullptr,
                                 1,
                                 symbols,
                                 4,
                                 entries};

} // namespace

extern "C" const PenstockProgram *penstock_program(void) { return &program; }
