// Fibers: a separate stack for each waiting thread, and switches between them.
#pragma once
#include <cstddef>

#if defined(__x86_64__) && !defined(SIMT_UCONTEXT)
#define SIMT_ASSEMBLY 1
#else
#include <ucontext.h>
#endif

namespace simt {

class Fiber {
public:
    Fiber() = default;  // the caller's own stack; other fibers may switch back to it
    // Allocates a stack with a guard page below. The first switch to the fiber calls entry(argument), which must never return.
    Fiber(void (*entry)(void*), void* argument, int index);
    ~Fiber();
    Fiber(const Fiber&) = delete;

    void reset();  // the next switch calls entry again

    // Suspends `from`, the running fiber, and continues `to`. Returns when another fiber switches to `from`.
    static void run(Fiber& from, Fiber& to);

    static constexpr std::size_t stack_bytes = 64 * 1024;

private:
    static void begin();
    void arrived();

    void (*entry_)(void*) = nullptr;
    void* argument_ = nullptr;
    char* mapping_ = nullptr;
    std::size_t offset_ = 0;  // of the stack's top; differs between fibers
#ifdef SIMT_ASSEMBLY
    void* stack_pointer_ = nullptr;
#else
    ucontext_t context_;
#endif
    // AddressSanitizer must know which stack is in use.
    const void* bottom_ = nullptr;
    std::size_t size_ = 0;
    void* fake_stack_ = nullptr;
    Fiber* previous_ = nullptr;
};

}  // namespace simt
