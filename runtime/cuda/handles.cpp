#include "runtime/cuda/handles.h"

#include <new>

namespace penstock::cuda {
namespace {

using Numbers = const std::int64_t *; // of a dispatch, checked

struct Maker {
  std::string_view kind;
  MadeObject<KernelObject> (*make)(Numbers n, Device &device);
};

template <class Made, class... Arguments> MadeObject<KernelObject> made(const Arguments &...arguments) {
  return std::unique_ptr<KernelObject>(new (std::nothrow) Made(arguments...));
}

const Maker makers[] = {
    {"matmul", [](Numbers n, Device &) { return made<MatmulHandle>(WeightShape{n[0], n[1], n[2] != 0, n[3]}); }},
    {"weight_gradient", [](Numbers n, Device &) { return made<WeightGradientHandle>(n[0], n[1]); }},
    {"conv1d", [](Numbers n, Device &) { return made<ConvHandle>(n[0], n[1], n[2]); }},
};

} // namespace

Result<KernelHandle> makeHandle(const PenstockDispatch &dispatch, Device &device) {
  PENSTOCK_ASSIGN(const KernelHandleKind *const kind, checkDispatch(dispatch));
  for (const Maker &maker : makers) {
    if (maker.kind == kind->name) {
      PENSTOCK_ASSIGN(std::unique_ptr<KernelObject> object, maker.make(dispatch.attributes, device));
      if (object == nullptr) {
        return environmentError("memory ran out while kernels were made; take a smaller model or a larger machine");
      }
      return KernelHandle(object.release());
    }
  }
  return invalidInput(
      "the program asks for a handle of `" + std::string(kind->name) +
      "` on a CUDA device, which this version does not have; compile the pipeline again, or use the version that compiled it");
}

} // namespace penstock::cuda
