/* The forged strategy's ground: types of the C interface, and arithmetic that equals CPython's.
   No library is called. `native/indicators.h` follows it in a forged text, which is C11 and C++17 alike. */
#include <stdint.h>
#include <stddef.h>

#define IL_ABI 1
#define IL_KEEP 2
#define IL_INVALID 3
#define IL_LARGEST_INPUT 1e100
#define IL_MAX_ROOM 10000000
#ifdef __cplusplus
#define IL_C extern "C"
#define restrict __restrict__
#else
#define IL_C
#endif
#define IL_EXPORT IL_C __attribute__((visibility("default")))
#define IL_INLINE static inline __attribute__((always_inline, unused))
#define IL_RARE(test) __builtin_expect(!!(test), 0)
#define IL_INF __builtin_inf()

typedef struct { int64_t ts_ns, index; double open, high, low, close, volume; int64_t side; } il_bar;
typedef struct {
    int64_t want, hold_bars;
    double strength, stop, target, trail, partial, partial_target, breakeven, limit;
} il_answer;
typedef struct { const int64_t *ts; const double *open, *high, *low, *close, *volume; } il_columns;
typedef struct { signed char *want; il_answer *wish; int64_t error; } il_answers;

/* The compiler may turn copies of structures into calls of these; nothing else is there to call. */
IL_C __attribute__((used)) void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((volatile unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    return to;
}

IL_C __attribute__((used)) void *memset(void *to, int byte, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((volatile unsigned char *)to)[i] = (unsigned char)byte;
    return to;
}

IL_INLINE int il_is_finite(double x) { return x - x == 0.0; }
IL_INLINE int il_is_exact(int64_t x) { return -(1LL << 53) <= x && x <= 1LL << 53; }
IL_INLINE int il_fits(double x) { return -0x1p63 <= x && x < 0x1p63; }

/* A wished side; anything but -1, 0, 1 is refused where it is returned, as Python would. */
IL_INLINE int64_t il_side(int64_t side) { return -1 <= side && side <= 1 ? side : IL_INVALID; }
IL_INLINE il_answer il_plain(int64_t want) { return (il_answer){.want = want, .strength = 1.0, .limit = -1.0}; }
IL_INLINE int il_is_level(double x) { return 0.0 <= x && x < IL_INF; }

/* As the kernel reads a Signal: without a target of its own the part leaves at the full target. */
IL_INLINE void il_check_signal(il_answer *a)
{
    int is_good = il_is_level(a->stop) && il_is_level(a->target) && il_is_level(a->trail)
        && il_is_level(a->partial_target) && il_is_level(a->breakeven) && 0.0 <= a->strength && a->strength <= 1.0
        && 0.0 <= a->partial && a->partial < 1.0 && a->hold_bars >= 0
        && (il_is_level(a->limit) || a->limit == -1.0);
    if (a->partial != 0.0 && a->partial_target == 0.0) {
        a->partial_target = a->target;
        a->target = 0.0;
        is_good = is_good && a->partial_target > 0.0;
    }
    if (!is_good)
        a->want = IL_INVALID;
}

/* The order of an int and a double by value, not by rounding the int first: -1, 0, 1, or 2 with a NaN. */
IL_INLINE int il_order(int64_t a, double b)
{
    if (b != b)
        return 2;
    if (il_is_exact(a))
        return (double)a < b ? -1 : (double)a > b;
    if (b >= 0x1p63)
        return -1;
    if (b < -0x1p63)
        return 1;
    return a < (int64_t)b ? -1 : a > (int64_t)b;
}

IL_INLINE int64_t il_floordiv_int(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

IL_INLINE int64_t il_mod_int(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* The exact remainder of x / y with the sign of x, by subtracting multiples of y from the top down. */
static double __attribute__((unused, noinline)) il_remainder(double x, double y)
{
    double rest = __builtin_fabs(x), least = __builtin_fabs(y);
    if (!il_is_finite(x) || y != y)
        return __builtin_nan("");
    if (least == IL_INF)
        return x;
    while (rest >= least) {
        double part = least;
        /* Doubling and halving are exact; half of a doubled number never falls below `least`. */
        while (part <= rest / 2.0)
            part += part;
        rest -= part;
    }
    return __builtin_copysign(rest, x);
}

/* CPython's float % and //: the remainder takes the divisor's sign, the quotient is floored. */
IL_INLINE double il_mod(double x, double y)
{
    double rest = il_remainder(x, y);
    if (rest == 0.0)
        return __builtin_copysign(0.0, y);
    return (y < 0.0) != (rest < 0.0) ? rest + y : rest;
}

IL_INLINE double il_floor(double x)
{
    double whole;
    if (!(-0x1p52 < x && x < 0x1p52))
        return x;
    whole = (double)(int64_t)x;
    whole = whole > x ? whole - 1.0 : whole;
    return __builtin_copysign(whole, x);
}

IL_INLINE double il_floordiv(double x, double y)
{
    double rest = il_remainder(x, y), quotient = (x - rest) / y, whole;
    if (rest != 0.0 && (y < 0.0) != (rest < 0.0))
        quotient -= 1.0;
    if (quotient == 0.0)
        return __builtin_copysign(0.0, x / y);
    whole = il_floor(quotient);
    return quotient - whole > 0.5 ? whole + 1.0 : whole;
}
