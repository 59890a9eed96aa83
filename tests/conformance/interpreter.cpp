#include "tests/conformance/interpreter.h"

#include "tests/conformance/evaluation.h"

#include <limits>

namespace penstock::conformance {

bool Evaluation::run() {
  if (isa<func::ReturnOp, nn::ApplyOp>(op)) {
    return true;
  }
  if (auto o = dyn_cast<nn::ReadOp>(op)) {
    set(0, in.globals.at(o.getName().str()));
  } else if (auto o = dyn_cast<nn::InputOp>(op)) {
    set(0, in.batch.inputs.at(static_cast<int64_t>(o.getIndex())));
  } else if (auto o = dyn_cast<nn::ConstantOp>(op)) {
    Tensor t = zeros(0);
    for (auto [k, v] : llvm::enumerate(cast<DenseElementsAttr>(o.getValue()).getValues<float>())) {
      t.f[k] = v;
    }
    set(0, std::move(t));
  } else if (auto o = dyn_cast<nn::GradientOp>(op)) {
    in.gradients[o.getName().str()] = operand(0);
  } else if (auto o = dyn_cast<nn::UpdateOp>(op)) {
    in.updates[o.getName().str()] = operand(0);
  } else if (isa<nn::InTrainingOp>(op)) { // of @model, which is read as a step
    set(0, Tensor(operand(0)));
  } else if (auto o = dyn_cast<nn::OutputOp>(op)) {
    in.outputs[o.getName().str()] = operand(0);
  } else if (isa<nn::ReluOp>(op)) {
    map([](double x) { return x > 0 ? x : 0.0; });
  } else if (auto o = dyn_cast<nn::LeakyReluOp>(op)) {
    map([slope = o.getSlope().convertToDouble()](double x) { return std::max(x, 0.0) + slope * std::min(x, 0.0); });
  } else if (auto o = dyn_cast<nn::EluOp>(op)) {
    map([alpha = o.getAlpha().convertToDouble()](double x) { return x > 0 ? x : alpha * std::expm1(x); });
  } else if (isa<nn::GeluOp>(op)) {
    map(gelu);
  } else if (isa<nn::TanhOp>(op)) {
    map([](double x) { return std::tanh(x); });
  } else if (isa<nn::SigmoidOp>(op)) {
    map([](double x) { return 1.0 / (1.0 + std::exp(-x)); });
  } else if (isa<nn::SiluOp>(op)) {
    map([](double x) { return x / (1.0 + std::exp(-x)); });
  } else if (isa<nn::ExpOp>(op)) {
    map([](double x) { return std::exp(x); });
  } else if (isa<nn::LogOp>(op)) {
    map([](double x) { return std::log(x); });
  } else if (isa<nn::SqrtOp>(op)) {
    map([](double x) { return std::sqrt(x); });
  } else if (isa<nn::SoftplusOp>(op)) {
    map([](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
  } else if (isa<nn::NegOp>(op)) {
    map([](double x) { return -x; });
  } else if (isa<nn::ReluGradOp>(op)) {
    mapGrad([](double x) { return x > 0 ? 1.0 : 0.0; });
  } else if (isa<nn::GeluSlopeOp>(op)) {
    map(geluSlope);
  } else if (isa<nn::AddOp>(op)) {
    binary([](double x, double y) { return x + y; });
  } else if (isa<nn::SubOp>(op)) {
    binary([](double x, double y) { return x - y; });
  } else if (isa<nn::MulOp>(op)) {
    binary([](double x, double y) { return x * y; });
  } else if (isa<nn::DivOp>(op)) {
    binary([](double x, double y) { return x / y; });
  } else if (auto o = dyn_cast<nn::DropoutOp>(op)) {
    dropout(o);
  } else if (isa<nn::SoftmaxOp>(op)) {
    set(0, softmaxOf(operand(0)));
  } else if (auto o = dyn_cast<nn::NormalizeOp>(op)) {
    normalize(o.getEpsilon().convertToDouble());
  } else if (isa<nn::NormalizeGradOp>(op)) {
    normalizeGrad();
  } else if (isa<nn::RowSumOp>(op)) {
    Tensor y = zeros(0);
    for (int64_t r = 0; r < operand(0).rows; ++r) {
      for (int64_t c = 0; c < operand(0).width; ++c) {
        y.at(r, 0) += in.rounded(operand(0).at(r, c));
      }
    }
    set(0, std::move(y));
  } else if (isa<nn::SpreadOp>(op)) {
    Tensor y = zeros(0);
    auto tensor = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    const int64_t rank = tensor ? tensor.getRank() : 2; // a scalar, a vector, a column
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = operand(0).f[rank == 0 ? 0 : static_cast<size_t>(rank == 1 ? c : r)];
      }
    }
    set(0, std::move(y));
  } else if (isa<nn::ColumnSumOp>(op)) {
    Tensor y = zeros(0);
    for (int64_t r = 0; r < operand(0).rows; ++r) {
      for (int64_t c = 0; c < operand(0).width; ++c) {
        y.f[static_cast<size_t>(c)] += in.rounded(operand(0).at(r, c));
      }
    }
    set(0, std::move(y));
  } else if (isa<nn::TotalOp>(op)) {
    Tensor y = zeros(0);
    for (double v : operand(0).f) {
      y.f[0] += in.rounded(v);
    }
    set(0, std::move(y));
  } else if (isa<nn::RecordCountOp>(op)) {
    Tensor y = zeros(0);
    y.f[0] = static_cast<double>(in.batch.records);
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::RowCountOp>(op)) {
    Tensor y = zeros(0);
    y.f[0] = in.batch.offsets.at(nn::nameOf(nn::rowsOf(o.getRows()))).back();
    set(0, std::move(y));
  } else if (isa<nn::ConcatOp>(op)) {
    Tensor y = zeros(0);
    int64_t offset = 0;
    for (unsigned k = 0; k < op->getNumOperands(); ++k) {
      for (int64_t r = 0; r < y.rows; ++r) {
        for (int64_t c = 0; c < operand(k).width; ++c) {
          y.at(r, offset + c) = operand(k).at(r, c);
        }
      }
      offset += operand(k).width;
    }
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SliceOp>(op)) {
    Tensor y = zeros(0);
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(r, c) = operand(0).at(r, static_cast<int64_t>(o.getOffset()) + c);
      }
    }
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::PadOp>(op)) {
    Tensor y = zeros(0);
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t c = 0; c < operand(0).width; ++c) {
        y.at(r, static_cast<int64_t>(o.getOffset()) + c) = operand(0).at(r, c);
      }
    }
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::CrossEntropyOp>(op)) {
    crossEntropy(o.getLabelSmoothing().convertToDouble(), o.getClassWeights(), false);
  } else if (auto o = dyn_cast<nn::CrossEntropyGradOp>(op)) {
    crossEntropy(o.getLabelSmoothing().convertToDouble(), o.getClassWeights(), true);
  } else if (auto o = dyn_cast<nn::ClassWeightOp>(op)) {
    Tensor y = zeros(0);
    for (int64_t r = 0; r < y.rows; ++r) {
      int32_t target = operand(0).i[static_cast<size_t>(r)];
      y.at(r, 0) = target < 0 ? 0.0 : o.getClassWeights().empty() ? 1.0 : o.getClassWeights()[static_cast<size_t>(target)];
    }
    set(0, std::move(y));
  } else if (isa<nn::OneHotOp>(op)) {
    Tensor y = zeros(0);
    eachId(operand(0), [&](int64_t row, int64_t id) { y.at(row, id) = 1; });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::MatmulOp>(op)) {
    matmul(o.getTransposed());
  } else if (isa<nn::WeightGradOp>(op)) {
    weightGrad();
  } else if (isa<nn::EmbeddingOp>(op)) {
    Tensor y = zeros(0);
    eachId(operand(0), [&](int64_t row, int64_t id) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(row, c) = operand(1).at(id, c);
      }
    });
    set(0, std::move(y));
  } else if (isa<nn::EmbeddingGradOp>(op)) {
    Tensor y = zeros(0);
    eachId(operand(0), [&](int64_t row, int64_t id) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(id, c) += in.rounded(operand(1).at(row, c));
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::PositionRowsOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getType(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < y.width; ++c) {
          y.at(row, c) = operand(0).at(std::min(o.getOf() == "segment" ? segmentOf(row - begin) : row - begin, operand(0).rows - 1), c);
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::PositionRowsGradOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getCotangent().getType(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < y.width; ++c) {
          y.at(std::min(o.getOf() == "segment" ? segmentOf(row - begin) : row - begin, y.rows - 1), c) += in.rounded(operand(0).at(row, c));
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::CountsOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getIds().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        y.at(record, operand(0).i[static_cast<size_t>(row)]) += 1.0;
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::WeightedCountsOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getIds().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        y.at(record, operand(0).i[static_cast<size_t>(row)]) += in.rounded(operand(1).at(row, 0));
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::OccurrencesOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getIds().getType(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t other = begin; other < end; ++other) {
          y.at(row, 0) += operand(0).i[static_cast<size_t>(row)] == operand(0).i[static_cast<size_t>(other)] ? 1.0 : 0.0;
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::BagSumOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getIds().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < y.width; ++c) {
          y.at(record, c) += in.rounded(operand(1).at(operand(0).i[static_cast<size_t>(row)], c));
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::BagSumGradOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getIds().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < y.width; ++c) {
          y.at(operand(0).i[static_cast<size_t>(row)], c) += in.rounded(operand(1).at(record, c));
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::Conv1dOp>(op)) {
    set(0, convolve(operand(0), operand(1), o.getInput().getType(), cast<RankedTensorType>(o.getWeight().getType()).getShape()));
  } else if (auto o = dyn_cast<nn::Conv1dInputGradOp>(op)) {
    set(0, convolveInput(operand(0), operand(1), o.getType(), cast<RankedTensorType>(o.getWeight().getType()).getShape()));
  } else if (auto o = dyn_cast<nn::Conv1dWeightGradOp>(op)) {
    set(0, convolveWeight(operand(0), operand(1), o.getInput().getType(), cast<RankedTensorType>(o.getType()).getShape()));
  } else if (auto o = dyn_cast<nn::Conv1dMaxOp>(op)) {
    Type ragged = o.getInput().getType();
    segmentMaximum(convolve(operand(0), operand(1), ragged, cast<RankedTensorType>(o.getWeight().getType()).getShape()), ragged);
  } else if (auto o = dyn_cast<nn::Conv1dMaxInputGradOp>(op)) {
    Tensor g = scatterMaximum(operand(0), operand(1), o.getType());
    set(0, convolveInput(g, operand(2), o.getType(), cast<RankedTensorType>(o.getWeight().getType()).getShape()));
  } else if (auto o = dyn_cast<nn::Conv1dMaxWeightGradOp>(op)) {
    Type ragged = o.getInput().getType();
    Tensor g = scatterMaximum(operand(1), operand(2), ragged);
    set(0, convolveWeight(operand(0), g, ragged, cast<RankedTensorType>(o.getType()).getShape()));
  } else if (auto o = dyn_cast<nn::SegmentSumOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getInput().getType(), [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < y.width; ++c) {
          y.at(record, c) += in.rounded(operand(0).at(row, c));
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::BroadcastRecordsOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getType(), [&](int64_t record, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t c = 0; c < y.width; ++c) {
          y.at(row, c) = operand(0).at(record, c);
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SegmentLengthOp>(op)) {
    Tensor y = zeros(0);
    const std::vector<int32_t> &offset = in.batch.offsets.at(nn::nameOf(nn::axisOf(o)));
    for (int64_t r = 0; r < y.rows; ++r) {
      y.at(r, 0) = offset[static_cast<size_t>(r) + 1] - offset[static_cast<size_t>(r)];
    }
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SegmentMaxOp>(op)) {
    segmentMaximum(operand(0), o.getInput().getType());
  } else if (auto o = dyn_cast<nn::SegmentMaxGradOp>(op)) {
    set(0, scatterMaximum(operand(0), operand(1), o.getType()));
  } else if (auto o = dyn_cast<nn::RunningSumOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getType(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t other = o.getBackward() != 0 ? row : begin; other < (o.getBackward() != 0 ? end : row + 1); ++other) {
          for (int64_t c = 0; c < y.width; ++c) {
            y.at(row, c) += operand(0).at(other, c);
          }
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SegmentSoftmaxOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getType(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t c = 0; c < y.width; ++c) {
        double sum = 0, most = -std::numeric_limits<double>::infinity();
        for (int64_t row = begin; row < end; ++row) {
          most = std::max(most, operand(0).at(row, c));
        }
        for (int64_t row = begin; row < end; ++row) {
          sum += y.at(row, c) = std::exp(operand(0).at(row, c) - most);
        }
        for (int64_t row = begin; row < end; ++row) {
          y.at(row, c) /= sum;
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SegmentSoftmaxGradOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getType(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t c = 0; c < y.width; ++c) {
        double sum = 0;
        for (int64_t row = begin; row < end; ++row) {
          sum += operand(0).at(row, c) * operand(1).at(row, c);
        }
        for (int64_t row = begin; row < end; ++row) {
          y.at(row, c) = operand(0).at(row, c) * (operand(1).at(row, c) - sum);
        }
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SegmentFirstOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getInput().getType(), [&](int64_t record, int64_t begin, int64_t) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(record, c) = operand(0).at(begin, c);
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::SegmentFirstGradOp>(op)) {
    Tensor y = zeros(0);
    eachRecord(o.getType(), [&](int64_t record, int64_t begin, int64_t) {
      for (int64_t c = 0; c < y.width; ++c) {
        y.at(begin, c) = operand(0).at(record, c);
      }
    });
    set(0, std::move(y));
  } else if (auto o = dyn_cast<nn::CrfLossOp>(op)) {
    crfLoss(o);
  } else if (auto o = dyn_cast<nn::CrfLossGradOp>(op)) {
    crfLossGrad(o);
  } else if (auto o = dyn_cast<nn::CrfDecodeOp>(op)) {
    crfDecode(o);
  } else if (auto o = dyn_cast<nn::AttentionOp>(op)) {
    attention(o);
  } else if (auto o = dyn_cast<nn::AttentionFirstOp>(op)) {
    attentionFirst(o);
  } else if (auto o = dyn_cast<nn::AttentionFirstGradOp>(op)) {
    attentionFirstGrad(o);
  } else if (auto o = dyn_cast<nn::AttentionGradOp>(op)) {
    attentionGrad(o);
  } else {
    return false;
  }
  return true;
}

bool Interpreter::run(func::FuncOp function) {
  for (Operation &op : function.front()) {
    if (!Evaluation{*this, &op}.run()) {
      message = "the interpreter does not know `" + op.getName().getStringRef().str() + "`";
      return false;
    }
    for (Value result : op.getResults()) {
      for (double &v : values.at(result.getAsOpaquePointer()).f) {
        v = rounded(v);
      }
    }
  }
  return true;
}

} // namespace penstock::conformance
