// A program written by hand against runtime/abi/program_abi.h, as the compiler would emit it: bag of words -> softmax, Adam.
// Tokens are dropped by a hash of (seed, step, record, position), so that a wrong step or record number changes the weights.
// The runtime's unit tests train it; FIXTURE_ABI, FIXTURE_MINOR and FIXTURE_LEVEL make variants that must be refused. Like a compiled
// program it needs no other library, not even for arithmetic.
#include "runtime/abi/program_abi.h"

#include <bit>
#include <cstddef>
#include <cstdint>

#ifndef FIXTURE_ABI
#define FIXTURE_ABI PENSTOCK_PROGRAM_ABI_MAJOR
#endif
#ifndef FIXTURE_MINOR
#define FIXTURE_MINOR PENSTOCK_PROGRAM_ABI_MINOR
#endif
#ifndef FIXTURE_LEVEL
#define FIXTURE_LEVEL "avx2"
#endif

extern "C" __attribute__((visibility("hidden"))) void *memcpy(void *to, const void *from, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    static_cast<char *>(to)[i] = static_cast<const char *>(from)[i];
  }
  return to;
}

extern "C" __attribute__((visibility("hidden"))) void *memset(void *to, int byte, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    static_cast<char *>(to)[i] = static_cast<char>(byte);
  }
  return to;
}

namespace {

double exponential(double x) { // e^x = (e^(x / 1024))^1024
  const double at = (x < -100 ? -100 : x) / 1024;
  double sum = 1 + at * (1 + at / 2 * (1 + at / 3 * (1 + at / 4)));
  for (int i = 0; i < 10; ++i) {
    sum *= sum;
  }
  return sum;
}

double logarithm(double x) { // x = 2^n m, and the series of atanh for m
  if (!(x < 1e300)) {
    return x;
  }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const double exponent = static_cast<double>(static_cast<std::int64_t>(bits >> 52) - 1023);
  const double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000), t = (m - 1) / (m + 1), s = t * t;
  double sum = 0;
  for (int k = 23; k > 0; k -= 2) {
    sum = sum * s + 1.0 / k;
  }
  return exponent * 0.6931471805599453 + 2 * t * sum;
}

float power(double x, std::uint64_t n) {
  double product = 1;
  for (; n > 0; n /= 2, x *= x) {
    product *= n % 2 != 0 ? x : 1;
  }
  return static_cast<float>(product);
}

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
  return mix(mix(mix(call->block->seed + 1) ^ (call->block->step + 1)) ^ (record * 1000003 + static_cast<std::uint64_t>(position))) % 10 ==
         0;
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
    memcpy(logits, bias, sizeof(logits));
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
      logit = static_cast<float>(exponential(logit - top));
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

/// Of one record; of a class that train lacks there is none.
float lossOf(const float *probabilities, std::int32_t gold) {
  return gold < 0 ? 0 : -static_cast<float>(logarithm(probabilities[gold] + 1e-30));
}

float lossOf(const PenstockCall *call, const float *probabilities) {
  const auto *gold = static_cast<const std::int32_t *>(call->batch->inputs[1]);
  float sum = 0;
  for (std::int64_t r = 0; r < call->batch->records; ++r) {
    sum += lossOf(probabilities + r * classes, gold[r]);
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
  memset(gradient, 0, gradientBytes);
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
  const std::uint64_t t = call->block->step + 1;
  const float correction1 = 1 - power(0.9, t), correction2 = 1 - power(0.999, t);
  for (std::int64_t i = 0; i < flatElements; ++i) {
    m[i] = 0.9f * m[i] + 0.1f * gradient[i];
    v[i] = 0.999f * v[i] + 0.001f * gradient[i] * gradient[i];
    call->parameters[i] -= call->block->learning_rate * (m[i] / correction1) / (__builtin_sqrtf(v[i] / correction2) + 1e-8f);
  }
}

void evaluate(const PenstockCall *call, const std::int64_t *) {
  auto *items = static_cast<float *>(call->outputs[0]), *weights = static_cast<float *>(call->outputs[1]);
  auto *probabilities = static_cast<float *>(call->outputs[2]);
  const auto *gold = static_cast<const std::int32_t *>(call->batch->inputs[1]);
  forward(call, probabilities, false);
  for (std::int64_t r = 0; r < call->batch->records; ++r) {
    items[r] = lossOf(probabilities + r * classes, gold[r]);
    weights[r] = gold[r] < 0 ? 0 : 1;
  }
}

void predict(const PenstockCall *call, const std::int64_t *) { forward(call, static_cast<float *>(call->outputs[0]), false); }

const PenstockAxis axes[] = {{sizeof(PenstockAxis), PENSTOCK_RECORDS, "tokens", 0, nullptr}};
const PenstockValueType idsType = {sizeof(PenstockValueType), PENSTOCK_ROWS_AXIS, 0, PENSTOCK_I32, 0, 1};
const PenstockValueType classType = {sizeof(PenstockValueType), PENSTOCK_ROWS_RECORDS, -1, PENSTOCK_I32, 0, 1};
const PenstockValueType lossType = {sizeof(PenstockValueType), PENSTOCK_ROWS_ONE, -1, PENSTOCK_F32, 0, 1};
const PenstockValueType answerType = {sizeof(PenstockValueType), PENSTOCK_ROWS_RECORDS, -1, PENSTOCK_F32, 0, classes};
const PenstockInputInfo inputs[] = {{"tokens", 0, &idsType}, {"label", 1, &classType}};
const std::int64_t weightShape[] = {vocabulary, classes}, biasShape[] = {classes};
const PenstockTensorInfo tensors[] = {
    {"answer.linear_0.weight", PENSTOCK_PARAMETER, 2, weightShape, 0, weightElements, PENSTOCK_INIT_UNIFORM, 1, 0.1},
    {"answer.linear_0.bias", PENSTOCK_PARAMETER, 1, biasShape, biasOffset, classes, PENSTOCK_INIT_NORMAL, 0, 0.1},
    {"adam.m/answer.linear_0.weight", PENSTOCK_STATE, 2, weightShape, 0, weightElements, PENSTOCK_INIT_ZEROS, 0, 0},
    {"adam.m/answer.linear_0.bias", PENSTOCK_STATE, 1, biasShape, biasOffset, classes, PENSTOCK_INIT_ZEROS, 0, 0},
    {"adam.v/answer.linear_0.weight", PENSTOCK_STATE, 2, weightShape, flatElements, weightElements, PENSTOCK_INIT_ZEROS, 0, 0},
    {"adam.v/answer.linear_0.bias", PENSTOCK_STATE, 1, biasShape, flatElements + biasOffset, classes, PENSTOCK_INIT_ZEROS, 0, 0},
};
const char *const symbols[] = {"penstock_parallel_for"};
const PenstockOutputInfo trainOutputs[] = {{"loss", &lossType}};
const PenstockValueType itemsType = {sizeof(PenstockValueType), PENSTOCK_ROWS_RECORDS, -1, PENSTOCK_F32, 0, 1};
const PenstockOutputInfo evaluateOutputs[] = {{"items 0", &itemsType}, {"weights 0", &itemsType}, {"answer.probabilities", &answerType}};
const PenstockLossInfo losses[] = {{0, 1}};
const PenstockOutputInfo predictOutputs[] = {{"answer.probabilities", &answerType}};
const std::int64_t noRows[] = {0};
const std::int64_t rowFlops[] = {2 * classes}, noPairs[] = {0}, pairBytes[] = {1};
const PenstockAmount trainFlops = {sizeof(PenstockAmount), 0, 5, rowFlops, noPairs};
const PenstockAmount trainBytes = {sizeof(PenstockAmount), gradientBytes, 0, noPairs, pairBytes};
const PenstockStepWork trainWork = {sizeof(PenstockStepWork), "rows", "bag of words", "words.pipe:7", &trainFlops, &trainBytes};
const PenstockStep packSteps[] = {{pack, nullptr, nullptr}}, trainSteps[] = {{trainStep, nullptr, &trainWork}},
                   evaluateSteps[] = {{evaluate, nullptr, nullptr}}, predictSteps[] = {{predict, nullptr, nullptr}};
const PenstockArena noArena = {sizeof(PenstockArena), 0, 0, noRows, 0};
const PenstockArena trainArena = {sizeof(PenstockArena), gradientBytes, classes * 4, noRows, 0};

/// A table of an array of rows.
template <typename Row, std::int32_t Count> constexpr PenstockTable tableOf(const Row (&rows)[Count]) { return {Count, sizeof(Row), rows}; }

const PenstockEntry entries[] = {
    {"pack", 0, tableOf(packSteps), {}, &noArena},
    {"train_step", 0, tableOf(trainSteps), tableOf(trainOutputs), &trainArena},
    {"evaluate", 0, tableOf(evaluateSteps), tableOf(evaluateOutputs), &noArena},
    {"predict", 0, tableOf(predictSteps), tableOf(predictOutputs), &noArena},
};
const PenstockProgram program = {sizeof(PenstockProgram),
                                 FIXTURE_ABI,
                                 FIXTURE_MINOR,
                                 1,
                                 symbols,
                                 FIXTURE_LEVEL,
                                 tableOf(axes),
                                 tableOf(inputs),
                                 tableOf(tensors),
                                 {},
                                 {},
                                 tableOf(entries),
                                 tableOf(losses),
                                 {},
                                 flatElements,
                                 2 * flatElements,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0};

} // namespace

extern "C" const PenstockProgram *penstock_program(void) { return &program; }
