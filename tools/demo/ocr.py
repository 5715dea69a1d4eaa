# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The demo's application: reads text out of pictures with rapidocr (three ONNX models), in a loop, until its input ends.

It knows nothing of infermeter. Prints "ready" once its models are loaded and the first picture is read.
"""
import os
import select
import sys

import numpy
from PIL import Image, ImageDraw, ImageFont
from rapidocr_onnxruntime import RapidOCR

LINES = ["every inference is seen", "in processes nobody prepared", "batch size and duration", "model by model"]


def picture(n):
    """White paper with two to four lines of text."""
    image = Image.new("RGB", (640, 240), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=30)
    for i in range(2 + n % 3):
        draw.text((20, 14 + 55 * i), LINES[(n + i) % len(LINES)], fill="black", font=font)
    return numpy.asarray(image)


def main():
    threads = max(1, (os.cpu_count() or 2) // 2)
    ocr = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)
    pictures = [picture(n) for n in range(6)]
    n = 0
    while True:
        result, _ = ocr(pictures[n % len(pictures)])
        if not result:
            sys.exit("nothing was read")
        if n == 0:
            print("ready", flush=True)
        n += 1
        # The input's end is the sign to stop; between two pictures it rests a moment.
        if select.select([sys.stdin], [], [], 0.1)[0] and not sys.stdin.read(1):
            break
    print("read %d pictures" % n)


if __name__ == "__main__":
    main()
