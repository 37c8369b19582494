/* One run of Adam or SGD on the mean logistic loss, as one would write it for a paper's experiments.

   rows (n, d) with the labels absorbed, indices (steps, batch) the rows of every step, or NULL: all of them.
   w (d) starts and ends the run; g, m, v (d) and s (batch) are room to work in, m and v zero at the start. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* g = gradient at w of the mean of log(1 + exp(-a_i.w)) over the batch */
static inline void gradient(const double *restrict rows, const int64_t *restrict batch, ptrdiff_t size, ptrdiff_t d,
                            const double *restrict w, double *restrict g, double *restrict s) {
    for (ptrdiff_t k = 0; k < size; k++) {
        const double *restrict a = rows + (batch ? batch[k] : k) * d;
        double z = 0.0;
        for (ptrdiff_t j = 0; j < d; j++) z += a[j] * w[j];
        s[k] = z;
    }
    /* a loop of its own, so that the compiler can call the vector exp */
    for (ptrdiff_t k = 0; k < size; k++) s[k] = -1.0 / ((double)size * (1.0 + exp(s[k])));
    for (ptrdiff_t j = 0; j < d; j++) g[j] = 0.0;
    for (ptrdiff_t k = 0; k < size; k++) {
        const double *restrict a = rows + (batch ? batch[k] : k) * d;
        for (ptrdiff_t j = 0; j < d; j++) g[j] += s[k] * a[j];
    }
}

void adam(const double *restrict rows, const int64_t *restrict indices, ptrdiff_t steps, ptrdiff_t batch, ptrdiff_t d,
          double lr, double beta1, double beta2, double *restrict w, double *restrict g, double *restrict m,
          double *restrict v, double *restrict s) {
    double power1 = 1.0, power2 = 1.0;
    for (ptrdiff_t t = 0; t < steps; t++) {
        gradient(rows, indices ? indices + t * batch : NULL, batch, d, w, g, s);
        power1 *= beta1;
        power2 *= beta2;
        double rate = lr * sqrt(1.0 - power2) / (1.0 - power1);
        for (ptrdiff_t j = 0; j < d; j++) {
            m[j] = beta1 * m[j] + (1.0 - beta1) * g[j];
            v[j] = beta2 * v[j] + (1.0 - beta2) * g[j] * g[j];
            w[j] -= rate * m[j] / sqrt(v[j]);
        }
    }
}

void sgd(const double *restrict rows, const int64_t *restrict indices, ptrdiff_t steps, ptrdiff_t batch, ptrdiff_t d,
         double lr, double *restrict w, double *restrict g, double *restrict s) {
    for (ptrdiff_t t = 0; t < steps; t++) {
        gradient(rows, indices ? indices + t * batch : NULL, batch, d, w, g, s);
        for (ptrdiff_t j = 0; j < d; j++) w[j] -= lr * g[j];
    }
}

/* so many multiplications with an addition, in registers: as many at a time as hide their latency */
static inline double multiply(ptrdiff_t count) {
    double x[96];
    for (int j = 0; j < 96; j++) x[j] = 1.0 + 1e-3 * j;
    for (ptrdiff_t i = 0; i < count; i += 96)
        for (int j = 0; j < 96; j++) x[j] = x[j] * 0.999 + 1e-3;
    double sum = 0.0;
    for (int j = 0; j < 96; j++) sum += x[j];
    return sum;
}

/* the multiplications of so many steps, and then each update of w (d) from g: of SGD, Adam, NGD or Muon's momentum */
void roofline(int update, ptrdiff_t steps, ptrdiff_t count, ptrdiff_t d, double *restrict w, double *restrict g,
              double *restrict m, double *restrict v) {
    const double start = 1e-12 * multiply(steps * count);
    for (ptrdiff_t t = 0; t < steps; t++) {
        __asm__ volatile("" ::: "memory"); /* steps are taken one after the other */
        double lr = start, squares = 0.0;
        if (update == 0)
            for (ptrdiff_t j = 0; j < d; j++) w[j] -= lr * g[j];
        else if (update == 1)
            for (ptrdiff_t j = 0; j < d; j++) {
                m[j] = 0.9 * m[j] + 0.1 * g[j];
                v[j] = 0.999 * v[j] + 0.001 * g[j] * g[j];
                w[j] -= lr * m[j] / sqrt(v[j]);
            }
        else if (update == 2) {
            for (ptrdiff_t j = 0; j < d; j++) squares += g[j] * g[j];
            lr /= sqrt(squares);
            for (ptrdiff_t j = 0; j < d; j++) w[j] -= lr * g[j];
        } else
            for (ptrdiff_t j = 0; j < d; j++) {
                m[j] = 0.9 * m[j] + 0.1 * g[j];
                w[j] -= lr * (0.9 * m[j] + 0.1 * g[j]);
            }
    }
}
