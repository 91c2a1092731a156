package com.example.generator

import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.Color
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.Model
import java.util.Random
import kotlin.math.roundToInt

/**
 * A generator from an asset: the file's `generate(latent) -> image`, on the GPU where LiteRT runs the file whole there,
 * else on the CPU. The app draws the latents, which GPUs lack the integers for: the same seed gives the same image here.
 */
class Generator(assets: AssetManager, name: String) : AutoCloseable {
    private val model = Model.load(assets, name)

    /** Where it runs: never on both, which LiteRT would do without a word, and with some files wrongly. */
    val accelerator: Accelerator
    private val compiled: CompiledModel

    init {
        val (found, made) = compile()
        accelerator = found
        compiled = made
    }

    private val latent = compiled.createInputBuffer("latent", SIGNATURE)
    private val image = compiled.createOutputBuffer("image", SIGNATURE)
    private val latentDim = model.getInputTensorType("latent", SIGNATURE).layout!!.dimensions[1]
    private val shape = model.getOutputTensorType("image", SIGNATURE).layout!!.dimensions

    /** Generates the image of a seed, for a generator whose prior is a standard normal. */
    fun sample(seed: Int): Bitmap {
        val random = Random(seed.toLong())
        return generate(FloatArray(latentDim) { random.nextGaussian().toFloat() })
    }

    /** Generates the image of a latent. */
    fun generate(values: FloatArray): Bitmap {
        latent.writeFloat(values)
        compiled.run(mapOf("latent" to latent), mapOf("image" to image), SIGNATURE)
        val pixelValues = image.readFloat()
        val (height, width, channels) = listOf(shape[1], shape[2], shape[3])
        val pixels = IntArray(height * width) { i ->
            // A grey image has one channel for all three colours.
            val (red, green, blue) = List(3) { c -> byte(pixelValues[channels * i + c % channels]) }
            Color.rgb(red, green, blue)
        }
        return Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)
    }

    override fun close() {
        listOf(latent, image, compiled, model).forEach { it.close() }
    }

    private fun compile(): Pair<Accelerator, CompiledModel> {
        try {
            return Accelerator.GPU to CompiledModel.create(model, CompiledModel.Options(Accelerator.GPU))
        } catch (refused: LiteRtException) {
            // No GPU, or a file with operations that it lacks.
            return Accelerator.CPU to CompiledModel.create(model, CompiledModel.Options(Accelerator.CPU))
        }
    }

    private companion object {
        const val SIGNATURE = "generate"

        fun byte(value: Float) = (value * 127.5f + 127.5f).roundToInt().coerceIn(0, 255)
    }
}
