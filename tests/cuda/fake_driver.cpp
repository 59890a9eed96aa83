// The driver of this test program is the fake one, but for another that the environment names.
#include <cstdlib>

namespace {

[[maybe_unused]] const bool named = ::setenv("PENSTOCK_CUDA_DRIVER", PENSTOCK_FAKE_CUDA, 0) == 0;

} // namespace
