/* Sizes that compiled programs and the kernels agree on. Plain C, no headers. */
#ifndef PENSTOCK_KERNEL_LIMITS_H
#define PENSTOCK_KERNEL_LIMITS_H

/* Floats of scratch that a worker has for a block kernel, and that a row region of generated code may use beside it. */
#define PENSTOCK_SCRATCH_FLOATS 65536

#endif
