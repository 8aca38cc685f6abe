/* emulator_warp.cc - what the operations of a warp compute: votes, matrices from shared memory, products. */
#include <cmath>
#include <cstring>

#include "lib/engine/device/emulator.h"

namespace ga__emulator
{

void sync(meeting &)
{
}

void ballot(meeting &m)
{
    unsigned votes = 0;
    for (int i = 0; i < 32; i++) {
        votes |= (unsigned)((m.mask >> i & 1) && m.parameter[i] != 0) << i;
    }
    for (int i = 0; i < 32; i++) {
        if (m.mask >> i & 1) {
            *(unsigned *)m.out[i] = votes;
        }
    }
}

/* Lanes 8 q to 8 q + 7 give the rows of matrix q; lane l receives elements 2 (l % 4) and the next one of row l / 4,
 * or of column l / 4 when transposed. */
static void load(meeting &m, bool transposed)
{
    uint16_t matrix[4][8][8];
    for (int i = 0; i < 32; i++) {
        if (((uintptr_t)m.in[i] & 15) != 0) {
            fault("ldmatrix: a row is not aligned to 16 bytes");
        }
        memcpy(matrix[i >> 3][i & 7], m.in[i], 16);
    }
    for (int i = 0; i < 32; i++) {
        int row = i >> 2, at = (i & 3) * 2;
        for (int q = 0; q < 4; q++) {
            unsigned low = transposed ? matrix[q][at][row] : matrix[q][row][at];
            unsigned high = transposed ? matrix[q][at + 1][row] : matrix[q][row][at + 1];
            ((unsigned *)m.out[i])[q] = low | high << 16;
        }
    }
}

void load_matrices(meeting &m)
{
    load(m, false);
}

void load_matrices_transposed(meeting &m)
{
    load(m, true);
}

float from_half(uint16_t half)
{
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    uint32_t bits = exponent == 31 ? 0x7f800000u | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
    float value = (float)fraction * 0x1p-24f;
    if (exponent != 0) {
        memcpy(&value, &bits, sizeof value);
    }
    return half & 0x8000 ? -value : value;
}

uint16_t to_half(float value)
{
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    float size = std::fabs(value);
    if (std::isnan(value)) {
        return 0x7fff;
    }
    if (size == 0.0f || size >= 65520.0f) {
        return (uint16_t)(sign | (size == 0.0f ? 0 : 0x7c00));
    }
    int exponent = 0;
    (void)std::frexp(size, &exponent); /* size = f 2^exponent, 1/2 <= f < 1 */
    int unit = exponent - 11 < -24 ? -24 : exponent - 11;
    int steps = (int)std::nearbyint(std::ldexp(size, -unit)); /* at most 2048: then the next binade begins */
    return (uint16_t)(sign | (steps + (unit + 24) * 1024));
}

static float from_bf16(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &u, sizeof value);
    return value;
}

/* m16n8k16: the places of the fragments are those of the PTX manual, "Matrix Fragments for mma.m16n8k16". */
template <float (*FROM)(uint16_t)> static void multiply(meeting &m)
{
    float a[16][16], b[16][8];
    for (int i = 0; i < 32; i++) {
        const unsigned *in = (const unsigned *)m.in[i];
        int group = i >> 2, pair = (i & 3) * 2;
        for (int r = 0; r < 4; r++) {
            int row = group + (r & 1) * 8, column = pair + (r >> 1) * 8;
            a[row][column] = FROM((uint16_t)in[r]);
            a[row][column + 1] = FROM((uint16_t)(in[r] >> 16));
        }
        for (int r = 0; r < 2; r++) {
            b[pair + r * 8][group] = FROM((uint16_t)in[4 + r]);
            b[pair + r * 8 + 1][group] = FROM((uint16_t)(in[4 + r] >> 16));
        }
    }
    float sum[16][8] = {};
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < 16; k++) {
            for (int column = 0; column < 8; column++) {
                sum[row][column] += a[row][k] * b[k][column];
            }
        }
    }
    for (int i = 0; i < 32; i++) {
        float *d = (float *)m.out[i];
        for (int r = 0; r < 4; r++) {
            d[r] += sum[(i >> 2) + (r >> 1) * 8][(i & 3) * 2 + (r & 1)];
        }
    }
}

void multiply_bf16(meeting &m)
{
    multiply<from_bf16>(m);
}

void multiply_f16(meeting &m)
{
    multiply<from_half>(m);
}

} // namespace ga__emulator
