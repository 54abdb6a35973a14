// Fiber switches: a few assembly instructions on x86-64, ucontext elsewhere (and with -DSIMT_UCONTEXT), with the annotations for
// AddressSanitizer.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef SIMT_ASSEMBLY
// Pushes the callee-saved registers, exchanges the stack pointers, and pops the registers of the other fiber.
extern "C" void simt_switch(void** save_stack_pointer, void* to_stack_pointer);
asm(R"(
    .text
    .globl simt_switch
    .type simt_switch, @function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size simt_switch, .-simt_switch
)");
#endif

namespace simt {
namespace {
constexpr std::size_t page = 4096;
thread_local Fiber* running = nullptr;
}  // namespace

Fiber::Fiber(void (*entry)(void*), void* argument, int index) : entry_(entry), argument_(argument) {
    void* memory = mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<char*>(memory);
    mprotect(mapping_, page, PROT_NONE);
    bottom_ = mapping_ + page;
    size_ = stack_bytes;
    // Stack tops at the same offset within a page would map to the same few cache sets, so their offsets differ.
    offset_ = std::size_t(index) * 448 % page;
    reset();
}

Fiber::~Fiber() {
    if (!mapping_) return;
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(mapping_ + page, stack_bytes);
#endif
    munmap(mapping_, page + stack_bytes);
}

void Fiber::reset() {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(mapping_ + page, stack_bytes);
#endif
    fake_stack_ = nullptr;
#ifdef SIMT_ASSEMBLY
    // Six registers, the return address, and a null pointer as the caller's return address.
    char* top = mapping_ + page + stack_bytes - offset_ / 16 * 16;
    void** slots = reinterpret_cast<void**>(top) - 8;
    for (int i = 0; i < 8; ++i) slots[i] = nullptr;
    slots[6] = reinterpret_cast<void*>(&Fiber::begin);
    stack_pointer_ = slots;
#else
    getcontext(&context_);
    context_.uc_stack.ss_sp = mapping_ + page;
    context_.uc_stack.ss_size = stack_bytes - offset_ / 16 * 16;
    context_.uc_link = nullptr;
    makecontext(&context_, &Fiber::begin, 0);
#endif
}

void Fiber::begin() {
    running->arrived();
    running->entry_(running->argument_);
    __builtin_unreachable();
}

// Stores the extent of the stack of previous_, which AddressSanitizer knows even for the stack of an OS thread.
void Fiber::arrived() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack_, &previous_->bottom_, &previous_->size_);
#endif
}

void Fiber::run(Fiber& from, Fiber& to) {
    to.previous_ = &from;
    running = &to;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
#endif
#ifdef SIMT_ASSEMBLY
    simt_switch(&from.stack_pointer_, to.stack_pointer_);
#else
    swapcontext(&from.context_, &to.context_);
#endif
    from.arrived();
}

}  // namespace simt
