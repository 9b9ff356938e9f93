// Formulas are compiled for the host and, under nvcc, for the device too.
#pragma once

#ifdef __CUDACC__
#define R2_HD __host__ __device__
#else
#define R2_HD
#endif
