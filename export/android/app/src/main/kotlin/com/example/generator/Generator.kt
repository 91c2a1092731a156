package com.example.generator

import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.Color
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Model
import kotlin.math.roundToInt

/** A generator from an asset: the file's `sample(seed) -> image`, where the same seed gives the same image anywhere. */
class Generator(assets: AssetManager, name: String) : AutoCloseable {
    private val model = Model.load(assets, name)
    private val compiled = CompiledModel.create(model, CompiledModel.Options(Accelerator.CPU))
    private val seed = compiled.createInputBuffer("seed", SIGNATURE)
    private val image = compiled.createOutputBuffer("image", SIGNATURE)
    private val shape = model.getOutputTensorType("image", SIGNATURE).layout!!.dimensions

    /** Generates one image. */
    fun sample(value: Int): Bitmap {
        seed.writeInt(intArrayOf(value))
        compiled.run(mapOf("seed" to seed), mapOf("image" to image), SIGNATURE)
        val values = image.readFloat()
        val (height, width, channels) = listOf(shape[1], shape[2], shape[3])
        val pixels = IntArray(height * width) { i ->
            // A grey image has one channel for all three colours.
            val (red, green, blue) = List(3) { c -> byte(values[channels * i + c % channels]) }
            Color.rgb(red, green, blue)
        }
        return Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)
    }

    override fun close() {
        listOf(seed, image, compiled, model).forEach { it.close() }
    }

    private companion object {
        const val SIGNATURE = "sample"

        fun byte(value: Float) = (value * 127.5f + 127.5f).roundToInt().coerceIn(0, 255)
    }
}
