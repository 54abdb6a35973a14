// Included at the end of a kernel file. Instantiates the kernels that CONTRACT, one file of the contract, declares.
namespace gannet::kernels::cpu::GANNET_ISA {
using T = real;
#define KERNEL template
#include CONTRACT
#undef KERNEL
}  // namespace gannet::kernels::cpu::GANNET_ISA
