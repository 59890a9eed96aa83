// The mathematics of each op, on float64: what interpreter.cpp calls.
#pragma once

#include "tests/conformance/interpreter.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace penstock::conformance {

using namespace mlir;

/// Zeros.
inline Tensor ofRows(int64_t rows, int64_t width) {
  Tensor y;
  y.rows = rows;
  y.width = width;
  y.f.assign(static_cast<size_t>(rows * width), 0.0);
  return y;
}
inline Tensor like(const Tensor &x) { return ofRows(x.rows, x.width); }

inline double gelu(double x) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); }
inline double geluSlope(double x) {
  return 0.5 * (1.0 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI);
}

/// The evaluation of one op.
struct Evaluation {
  Interpreter &in;
  Operation *op;

  const Tensor &operand(unsigned i) const { return in.value(op->getOperand(i)); }

  int64_t rowsOfType(Type type) const {
    nn::RowsOf rows = nn::rowsOf(type);
    switch (rows.kind) {
    case nn::RowsOf::Kind::axis:
      return in.batch.offsets.at(nn::nameOf(rows)).back();
    case nn::RowsOf::Kind::records:
      return in.batch.records;
    case nn::RowsOf::Kind::fixed:
      return rows.rows;
    }
    return 0;
  }

  Tensor zeros(unsigned result) const {
    Type type = op->getResult(result).getType();
    Tensor t;
    t.rows = rowsOfType(type);
    t.width = nn::widthOf(type);
    size_t n = static_cast<size_t>(t.rows * t.width);
    if (nn::elementTypeOf(type).isF32()) {
      t.f.assign(n, 0.0);
    } else {
      t.i.assign(n, 0);
    }
    return t;
  }

  void set(unsigned result, Tensor t) { in.values[op->getResult(result).getAsOpaquePointer()] = std::move(t); }

  /// Offsets of the axis of a type.
  const std::vector<int32_t> &offsets(Type type) const { return in.batch.offsets.at(nn::nameOf(nn::rowsOf(type))); }

  /// Calls f(row of the parent, first row, one past the last).
  template <typename F> void eachRecord(Type ragged, F f) const {
    const std::vector<int32_t> &o = offsets(ragged);
    for (size_t r = 0; r + 1 < o.size(); ++r) {
      f(static_cast<int64_t>(r), int64_t(o[r]), int64_t(o[r + 1]));
    }
  }

  /// The first row that a record owns on an axis, from parent to axis.
  int64_t firstOf(nn::RowsOf axis, int64_t record) const {
    const nn::RowsOf parent = nn::parentOf(axis);
    const int64_t row = parent.kind == nn::RowsOf::Kind::records ? record : firstOf(parent, record);
    return in.batch.offsets.at(nn::nameOf(axis))[static_cast<size_t>(row)];
  }

  void map(const std::function<double(double)> &f) {
    Tensor y = operand(0);
    for (double &v : y.f) {
      v = f(v);
    }
    set(0, std::move(y));
  }

  void mapGrad(const std::function<double(double)> &slope) {
    Tensor y = operand(1);
    for (size_t k = 0; k < y.f.size(); ++k) {
      y.f[k] *= slope(operand(0).f[k]);
    }
    set(0, std::move(y));
  }

  /// Element (row, column) of the right side of a binary op.
  double right(int64_t row, int64_t column) const {
    const Tensor &x = operand(1);
    Type lhs = op->getOperand(0).getType(), rhs = op->getOperand(1).getType();
    if (lhs == rhs) {
      return x.at(row, column);
    }
    if (nn::isScalar(rhs)) {
      return x.f[0];
    }
    if (nn::rowsOf(lhs) == nn::rowsOf(rhs) && nn::widthOf(rhs) == 1) {
      return x.f[static_cast<size_t>(row)];
    }
    return x.f[static_cast<size_t>(column)];
  }

  //===--- conditional random fields: from the definition of their distribution, by sums over all chains in log space ---===//

  struct Chain {
    Interpreter &in;
    const Tensor &logits, &transitions;
    std::vector<int64_t> rows; // of the chain

    int64_t tags() const { return logits.width; }
    double between(int64_t i, int64_t j) const { return transitions.f[static_cast<size_t>(i * tags() + j)]; }
    double start(int64_t j) const { return transitions.f[static_cast<size_t>(tags() * tags() + j)]; }
    double finish(int64_t j) const { return transitions.f[static_cast<size_t>(tags() * tags() + tags() + j)]; }
    static double logAdd(double a, double b) {
      double most = std::max(a, b);
      return most == -INFINITY ? most : most + std::log(std::exp(a - most) + std::exp(b - most));
    }
    /// [place][tag]: log of the sums over the chains up to there, and over what may follow.
    std::vector<std::vector<double>> before() const {
      std::vector<std::vector<double>> sums(rows.size(), std::vector<double>(static_cast<size_t>(tags()), -INFINITY));
      for (size_t t = 0; t < rows.size(); ++t) {
        for (int64_t j = 0; j < tags(); ++j) {
          double &sum = sums[t][static_cast<size_t>(j)];
          sum = t == 0 ? start(j) : sum;
          for (int64_t i = 0; t > 0 && i < tags(); ++i) {
            sum = logAdd(sum, sums[t - 1][static_cast<size_t>(i)] + between(i, j));
          }
          sum = in.rounded(sum + logits.at(rows[t], j));
        }
      }
      return sums;
    }
    std::vector<std::vector<double>> behind() const {
      std::vector<std::vector<double>> sums(rows.size(), std::vector<double>(static_cast<size_t>(tags()), -INFINITY));
      for (size_t t = rows.size(); t-- > 0;) {
        for (int64_t i = 0; i < tags(); ++i) {
          double &sum = sums[t][static_cast<size_t>(i)];
          sum = t + 1 == rows.size() ? finish(i) : sum;
          for (int64_t j = 0; t + 1 < rows.size() && j < tags(); ++j) {
            sum = logAdd(sum, between(i, j) + logits.at(rows[t + 1], j) + sums[t + 1][static_cast<size_t>(j)]);
          }
          sum = in.rounded(sum);
        }
      }
      return sums;
    }
    double total() const {
      double sum = -INFINITY;
      std::vector<double> last = before().back();
      for (int64_t j = 0; j < tags(); ++j) {
        sum = logAdd(sum, last[static_cast<size_t>(j)] + finish(j));
      }
      return sum;
    }
  };

  template <typename Is> Chain chain(int64_t begin, int64_t end, unsigned transitions, Is is) const {
    Chain made{in, operand(0), operand(transitions), {}};
    for (int64_t row = begin; row < end; ++row) {
      if (is(static_cast<size_t>(row))) {
        made.rows.push_back(row);
      }
    }
    return made;
  }

  void crfLoss(nn::CrfLossOp o) {
    Tensor y = zeros(0);
    const std::vector<int32_t> &tags = operand(1).i;
    eachRecord(o.getLogits().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      Chain c = chain(begin, end, 2, [&](size_t row) { return tags[row] >= 0; });
      if (c.rows.empty()) {
        return;
      }
      double score = 0;
      for (size_t t = 0; t < c.rows.size(); ++t) {
        int64_t tag = tags[static_cast<size_t>(c.rows[t])];
        score += c.logits.at(c.rows[t], tag) + (t == 0 ? c.start(tag) : c.between(tags[static_cast<size_t>(c.rows[t - 1])], tag));
      }
      y.at(record, 0) = c.total() - score - c.finish(tags[static_cast<size_t>(c.rows.back())]);
    });
    set(0, std::move(y));
    set(1, zeros(1)); // the lowering's own
  }

  void crfLossGrad(nn::CrfLossGradOp o) {
    Tensor x = zeros(0), w = zeros(1);
    const std::vector<int32_t> &tags = operand(1).i;
    eachRecord(o.getLogits().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      Chain c = chain(begin, end, 2, [&](size_t row) { return tags[row] >= 0; });
      if (c.rows.empty()) {
        return;
      }
      auto before = c.before(), behind = c.behind();
      double all = c.total(), g = operand(4).at(record, 0);
      int64_t k = c.tags();
      for (size_t t = 0; t < c.rows.size(); ++t) {
        int64_t gold = tags[static_cast<size_t>(c.rows[t])];
        for (int64_t j = 0; j < k; ++j) {
          double surplus = std::exp(before[t][static_cast<size_t>(j)] + behind[t][static_cast<size_t>(j)] - all) - (j == gold ? 1 : 0);
          x.at(c.rows[t], j) += g * surplus;
          w.at(record, k * k + j) += t == 0 ? g * surplus : 0;
          w.at(record, k * k + k + j) += t + 1 == c.rows.size() ? g * surplus : 0;
          for (int64_t i = 0; t > 0 && i < k; ++i) {
            double pair = std::exp(before[t - 1][static_cast<size_t>(i)] + c.between(i, j) + c.logits.at(c.rows[t], j) +
                                   behind[t][static_cast<size_t>(j)] - all);
            bool both = j == gold && i == tags[static_cast<size_t>(c.rows[t - 1])];
            w.at(record, i * k + j) += g * (pair - (both ? 1 : 0));
          }
        }
      }
    });
    set(0, std::move(x));
    set(1, std::move(w));
  }

  void crfDecode(nn::CrfDecodeOp o) {
    Tensor y = zeros(0);
    eachRecord(o.getLogits().getType(), [&](int64_t, int64_t begin, int64_t end) {
      Chain c = chain(begin, end, 1, [&](size_t row) { return in.batch.rowWord[row] >= 0; });
      if (c.rows.empty()) {
        return;
      }
      auto before = c.before(), behind = c.behind();
      double all = c.total();
      auto k = static_cast<size_t>(c.tags());
      std::vector<std::vector<double>> best(c.rows.size(), std::vector<double>(k));
      std::vector<std::vector<size_t>> from(c.rows.size(), std::vector<size_t>(k));
      for (size_t t = 0; t < c.rows.size(); ++t) {
        for (size_t j = 0; j < k; ++j) {
          auto reach = [&](size_t i) { return best[t - 1][i] + c.between(static_cast<int64_t>(i), static_cast<int64_t>(j)); };
          for (size_t i = 1; t > 0 && i < k; ++i) {
            from[t][j] = reach(i) > reach(from[t][j]) ? i : from[t][j];
          }
          best[t][j] = c.logits.at(c.rows[t], static_cast<int64_t>(j)) + (t == 0 ? c.start(static_cast<int64_t>(j)) : reach(from[t][j]));
        }
      }
      size_t tag = 0;
      for (size_t j = 1; j < k; ++j) {
        auto ends = [&](size_t i) { return best.back()[i] + c.finish(static_cast<int64_t>(i)); };
        tag = ends(j) > ends(tag) ? j : tag;
      }
      for (size_t t = c.rows.size(); t-- > 0; tag = from[t][tag]) {
        y.at(c.rows[t], static_cast<int64_t>(tag)) = std::exp(before[t][tag] + behind[t][tag] - all);
      }
    });
    set(0, std::move(y));
    set(1, zeros(1));
    set(2, zeros(2));
  }

  void binary(const std::function<double(double, double)> &f) {
    Tensor y = operand(0);
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = f(y.at(r, c), right(r, c));
      }
    }
    set(0, std::move(y));
  }

  void dropout(nn::DropoutOp dropout) {
    Tensor y = operand(0);
    Type type = dropout.getType();
    double p = dropout.getP().convertToDouble();
    auto apply = [&](int64_t row, int64_t record, int64_t position) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(row, c) *= dropoutFactor(p, in.seed, in.step, static_cast<uint64_t>(dropout.getKey()),
                                      in.batch.recordNumbers[static_cast<size_t>(record)], position, c);
      }
    };
    if (nn::isOnAxis(type)) {
      for (int64_t record = 0; record < in.batch.records; ++record) {
        const int64_t begin = firstOf(nn::rowsOf(type), record), end = firstOf(nn::rowsOf(type), record + 1);
        for (int64_t row = begin; row < end; ++row) {
          apply(row, record, row - begin);
        }
      }
    } else {
      for (int64_t row = 0; row < y.rows; ++row) {
        apply(row, row, 0);
      }
    }
    set(0, std::move(y));
  }

  Tensor softmaxOf(const Tensor &x) const {
    Tensor y = x;
    for (int64_t r = 0; r < y.rows; ++r) {
      double most = -HUGE_VAL, sum = 0;
      for (int64_t c = 0; c < y.width; ++c) {
        most = std::max(most, y.at(r, c));
      }
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = std::exp(y.at(r, c) - most);
        sum += y.at(r, c);
      }
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = in.rounded(y.at(r, c) / sum);
      }
    }
    return y;
  }

  void normalize(double epsilon) {
    Tensor y = operand(0), rstd = zeros(1);
    for (int64_t r = 0; r < y.rows; ++r) {
      double mean = 0, variance = 0, n = static_cast<double>(y.width);
      for (int64_t c = 0; c < y.width; ++c) {
        mean += in.rounded(y.at(r, c) / n);
      }
      mean = in.rounded(mean);
      for (int64_t c = 0; c < y.width; ++c) {
        variance += (y.at(r, c) - mean) * (y.at(r, c) - mean) / n;
      }
      rstd.at(r, 0) = 1.0 / std::sqrt(variance + epsilon);
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = (y.at(r, c) - mean) * rstd.at(r, 0);
      }
    }
    set(0, std::move(y));
    set(1, std::move(rstd));
  }

  void normalizeGrad() {
    const Tensor &x = operand(0), &rstd = operand(1), &g = operand(2);
    Tensor y = like(g);
    for (int64_t r = 0; r < y.rows; ++r) {
      double mean = 0, along = 0, n = static_cast<double>(y.width);
      for (int64_t c = 0; c < y.width; ++c) {
        mean += in.rounded(g.at(r, c) / n);
        along += in.rounded(g.at(r, c) * x.at(r, c) / n);
      }
      mean = in.rounded(mean);
      along = in.rounded(along);
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = rstd.at(r, 0) * (g.at(r, c) - mean - x.at(r, c) * along);
      }
    }
    set(0, std::move(y));
  }

  /// The target distribution of a class, times its weight in the loss: -sum_c q_c w_c log p_c (as PyTorch's).
  std::vector<double> targetOf(int32_t target, int64_t classes, double smoothing, ArrayRef<double> weights) const {
    std::vector<double> q(static_cast<size_t>(classes), 0.0);
    if (target < 0) {
      return q;
    }
    for (int64_t c = 0; c < classes; ++c) {
      double weight = weights.empty() ? 1.0 : weights[static_cast<size_t>(c)];
      q[static_cast<size_t>(c)] = weight * ((c == target ? 1.0 - smoothing : 0.0) + smoothing / static_cast<double>(classes));
    }
    return q;
  }

  void crossEntropy(double smoothing, ArrayRef<double> weights, bool gradient) {
    const Tensor &logits = operand(0), &target = operand(1);
    Tensor p = softmaxOf(logits), y = zeros(0);
    for (int64_t r = 0; r < logits.rows; ++r) {
      auto q = targetOf(target.i[static_cast<size_t>(r)], logits.width, smoothing, weights);
      double mass = 0;
      for (double v : q) {
        mass += v;
      }
      for (int64_t c = 0; c < logits.width; ++c) {
        if (gradient) {
          y.at(r, c) = operand(2).at(r, 0) * (mass * p.at(r, c) - q[static_cast<size_t>(c)]);
        } else {
          y.at(r, 0) -= q[static_cast<size_t>(c)] * std::log(p.at(r, c));
        }
      }
    }
    set(0, std::move(y));
  }

  void matmul(bool transposed) {
    const Tensor &x = operand(0), &w = operand(1);
    Tensor y = zeros(0);
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t n = 0; n < y.width; ++n) {
        for (int64_t k = 0; k < x.width; ++k) {
          y.at(r, n) += in.rounded(x.at(r, k) * (transposed ? w.at(n, k) : w.at(k, n)));
        }
      }
    }
    set(0, std::move(y));
  }

  void weightGrad() {
    const Tensor &x = operand(0), &g = operand(1);
    Tensor y = zeros(0);
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t k = 0; k < x.width; ++k) {
        for (int64_t n = 0; n < g.width; ++n) {
          y.at(k, n) += in.rounded(x.at(r, k) * g.at(r, n));
        }
      }
    }
    set(0, std::move(y));
  }

  /// Calls f(row, row of the table) for every row whose id is in the table.
  template <typename F> void eachId(const Tensor &ids, F f) const {
    for (size_t r = 0; r < ids.i.size(); ++r) {
      if (ids.i[r] >= 0) {
        f(static_cast<int64_t>(r), int64_t(ids.i[r]));
      }
    }
  }

  /// The weight of conv1d as f[(tap * inputs + input) * maps + map]; calls f(t, source row, index of the weight's first map)
  /// for every row of `x`, tap and input.
  template <typename F> void eachTap(Type ragged, int64_t width, F f) const {
    int64_t left = (width - 1) / 2;
    eachRecord(ragged, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        for (int64_t j = 0; j < width; ++j) {
          int64_t source = t + j - left;
          if (source >= begin && source < end) {
            f(t, source, j);
          }
        }
      }
    });
  }

  double &weightAt(Tensor &w, int64_t inputs, int64_t maps, int64_t j, int64_t d, int64_t m) const {
    return w.f[static_cast<size_t>((j * inputs + d) * maps + m)];
  }
  double weightAt(const Tensor &w, int64_t inputs, int64_t maps, int64_t j, int64_t d, int64_t m) const {
    return w.f[static_cast<size_t>((j * inputs + d) * maps + m)];
  }

  Tensor convolve(const Tensor &x, const Tensor &w, Type ragged, ArrayRef<int64_t> shape) const {
    Tensor y;
    y.rows = x.rows;
    y.width = shape[2];
    y.f.assign(static_cast<size_t>(y.rows * y.width), 0.0);
    eachTap(ragged, shape[0], [&](int64_t t, int64_t source, int64_t j) {
      for (int64_t d = 0; d < shape[1]; ++d) {
        for (int64_t m = 0; m < shape[2]; ++m) {
          y.at(t, m) += in.rounded(x.at(source, d) * weightAt(w, shape[1], shape[2], j, d, m));
        }
      }
    });
    return y;
  }

  Tensor convolveInput(const Tensor &g, const Tensor &w, Type ragged, ArrayRef<int64_t> shape) const {
    Tensor dx;
    dx.rows = g.rows;
    dx.width = shape[1];
    dx.f.assign(static_cast<size_t>(dx.rows * dx.width), 0.0);
    eachTap(ragged, shape[0], [&](int64_t t, int64_t source, int64_t j) {
      for (int64_t d = 0; d < shape[1]; ++d) {
        for (int64_t m = 0; m < shape[2]; ++m) {
          dx.at(source, d) += in.rounded(g.at(t, m) * weightAt(w, shape[1], shape[2], j, d, m));
        }
      }
    });
    return dx;
  }

  Tensor convolveWeight(const Tensor &x, const Tensor &g, Type ragged, ArrayRef<int64_t> shape) const {
    Tensor dw = zeros(0);
    eachTap(ragged, shape[0], [&](int64_t t, int64_t source, int64_t j) {
      for (int64_t d = 0; d < shape[1]; ++d) {
        for (int64_t m = 0; m < shape[2]; ++m) {
          weightAt(dw, shape[1], shape[2], j, d, m) += in.rounded(x.at(source, d) * g.at(t, m));
        }
      }
    });
    return dw;
  }

  void segmentMaximum(const Tensor &x, Type ragged) {
    Tensor y = zeros(0), at = zeros(1);
    eachRecord(ragged, [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t c = 0; c < x.width; ++c) {
        double most = -HUGE_VAL;
        for (int64_t row = begin; row < end; ++row) {
          if (x.at(row, c) > most) {
            most = x.at(row, c);
            at.i[static_cast<size_t>(record * x.width + c)] = static_cast<int32_t>(row - begin);
          }
        }
        y.at(record, c) = most;
      }
    });
    set(0, std::move(y));
    set(1, std::move(at));
  }

  /// The cotangent of a maximum as rows of the axis.
  Tensor scatterMaximum(const Tensor &g, const Tensor &at, Type ragged) const {
    Tensor y = ofRows(rowsOfType(ragged), g.width);
    eachRecord(ragged, [&](int64_t record, int64_t begin, int64_t) {
      for (int64_t c = 0; c < g.width; ++c) {
        y.at(begin + at.i[static_cast<size_t>(record * g.width + c)], c) = g.at(record, c);
      }
    });
    return y;
  }

  /// Probabilities of one query, before dropout, and the log of their denominator.
  std::pair<std::vector<double>, double> attend(const Tensor &qkv, int64_t query, int64_t begin, int64_t end, int64_t head, int64_t heads,
                                                int64_t width) const {
    std::vector<double> p;
    double most = -HUGE_VAL, sum = 0;
    for (int64_t key = begin; key < end; ++key) {
      double score = 0;
      for (int64_t c = 0; c < width; ++c) {
        score += in.rounded(qkv.at(query, head * width + c) * qkv.at(key, (heads + head) * width + c));
      }
      p.push_back(score / std::sqrt(static_cast<double>(width)));
      most = std::max(most, p.back());
    }
    for (double &v : p) {
      v = std::exp(v - most);
      sum += v;
    }
    for (double &v : p) {
      v = in.rounded(v / sum);
    }
    return {p, most + std::log(sum)};
  }

  double keep(double dropout, int64_t key, int64_t record, int64_t head, int64_t query, int64_t other, int64_t length) const {
    if (dropout == 0) {
      return 1.0;
    }
    return attentionFactor(dropout, in.seed, in.step, static_cast<uint64_t>(key), in.batch.recordNumbers[static_cast<size_t>(record)],
                           (head * length + query) * length + other);
  }

  /// The result for all rows, and the logs of the denominators.
  template <class Op> std::pair<Tensor, Tensor> attentionOf(Op attention, const Tensor &qkv, Type axis) const {
    int64_t heads = attention.getHeads(), width = qkv.width / 3 / heads;
    double dropout = attention.getDropout().convertToDouble();
    Tensor y = ofRows(qkv.rows, heads * width), lse = ofRows(qkv.rows, heads);
    eachRecord(axis, [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t head = 0; head < heads; ++head) {
        for (int64_t query = begin; query < end; ++query) {
          auto [p, log] = attend(qkv, query, begin, end, head, heads, width);
          lse.at(query, head) = log;
          for (int64_t key = begin; key < end; ++key) {
            double weight = p[static_cast<size_t>(key - begin)] *
                            keep(dropout, attention.getKey(), record, head, query - begin, key - begin, end - begin);
            for (int64_t c = 0; c < width; ++c) {
              y.at(query, head * width + c) += weight * qkv.at(key, (2 * heads + head) * width + c);
            }
          }
        }
      }
    });
    return {std::move(y), std::move(lse)};
  }

  /// The derivative by qkv, where `g` are cotangents of the result for all rows.
  template <class Op> Tensor attentionGradOf(Op attention, const Tensor &qkv, const Tensor &g, Type axis) const {
    Tensor d = ofRows(qkv.rows, qkv.width);
    int64_t heads = attention.getHeads(), width = g.width / heads;
    double scale = 1.0 / std::sqrt(static_cast<double>(width)), dropout = attention.getDropout().convertToDouble();
    eachRecord(axis, [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t head = 0; head < heads; ++head) {
        for (int64_t query = begin; query < end; ++query) {
          std::vector<double> p = attend(qkv, query, begin, end, head, heads, width).first, dp(p.size(), 0.0);
          double along = 0;
          for (int64_t key = begin; key < end; ++key) {
            size_t k = static_cast<size_t>(key - begin);
            double kept = keep(dropout, attention.getKey(), record, head, query - begin, key - begin, end - begin);
            for (int64_t c = 0; c < width; ++c) {
              double cotangent = g.at(query, head * width + c);
              dp[k] += kept * cotangent * qkv.at(key, (2 * heads + head) * width + c);
              d.at(key, (2 * heads + head) * width + c) += kept * p[k] * cotangent;
            }
            dp[k] = in.rounded(dp[k]);
            along += in.rounded(p[k] * dp[k]);
          }
          for (int64_t key = begin; key < end; ++key) {
            size_t k = static_cast<size_t>(key - begin);
            double ds = p[k] * (dp[k] - along) * scale;
            for (int64_t c = 0; c < width; ++c) {
              d.at(query, head * width + c) += ds * qkv.at(key, (heads + head) * width + c);
              d.at(key, (heads + head) * width + c) += ds * qkv.at(query, head * width + c);
            }
          }
        }
      }
    });
    return d;
  }

  void attention(nn::AttentionOp attention) {
    auto [y, lse] = attentionOf(attention, operand(0), attention.getQkv().getType());
    set(0, std::move(y));
    set(1, std::move(lse));
  }

  void attentionGrad(nn::AttentionGradOp attention) {
    set(0, attentionGradOf(attention, operand(0), operand(3), attention.getQkv().getType()));
  }

  /// Rows of the axis: the record's row at its first row beside the columns of `rest`, zeros at the others.
  Tensor atFirstRows(const Tensor &first, const Tensor *rest, Type axis) const {
    Tensor y = ofRows(rowsOfType(axis), first.width + (rest ? rest->width : 0));
    eachRecord(axis, [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < first.width && row == begin; ++c) {
          y.at(row, c) = first.at(record, c);
        }
        for (int64_t c = 0; rest && c < rest->width; ++c) {
          y.at(row, first.width + c) = rest->at(row, c);
        }
      }
    });
    return y;
  }

  /// The first `width` columns of the records' first rows.
  Tensor firstRows(const Tensor &x, int64_t width, Type axis) const {
    Tensor y = ofRows(in.batch.records, width);
    eachRecord(axis, [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t c = 0; c < width && begin < end; ++c) {
        y.at(record, c) = x.at(begin, c);
      }
    });
    return y;
  }

  void attentionFirst(nn::AttentionFirstOp attention) {
    Type axis = attention.getKeysValues().getType();
    auto [y, lse] = attentionOf(attention, atFirstRows(operand(0), &operand(1), axis), axis);
    set(0, firstRows(y, y.width, axis));
    set(1, firstRows(lse, lse.width, axis));
  }

  void attentionFirstGrad(nn::AttentionFirstGradOp attention) {
    Type axis = attention.getKeysValues().getType();
    int64_t width = operand(0).width;
    Tensor d = attentionGradOf(attention, atFirstRows(operand(0), &operand(1), axis), atFirstRows(operand(4), nullptr, axis), axis);
    Tensor byKeysValues = ofRows(d.rows, 2 * width);
    for (int64_t row = 0; row < d.rows; ++row) {
      for (int64_t c = 0; c < 2 * width; ++c) {
        byKeysValues.at(row, c) = d.at(row, width + c);
      }
    }
    set(0, firstRows(d, width, axis));
    set(1, std::move(byKeysValues));
  }

  bool run();
};

} // namespace penstock::conformance
