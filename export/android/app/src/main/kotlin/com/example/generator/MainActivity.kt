package com.example.generator

import android.app.Activity
import android.graphics.drawable.BitmapDrawable
import android.os.Bundle
import android.view.Gravity
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.SeekBar
import android.widget.TextView

/** One picture, a slider for its seed, and a button for the next one. */
class MainActivity : Activity() {
    private lateinit var generator: Generator

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        generator = Generator(assets, "generator.tflite")

        val picture = ImageView(this).apply { adjustViewBounds = true }
        val caption = TextView(this).apply { gravity = Gravity.CENTER }
        val slider = SeekBar(this).apply {
            max = 999
            contentDescription = "Seed"
        }
        val next = Button(this).apply { text = "Next" }

        fun show(seed: Int) {
            val start = System.nanoTime()
            val bitmap = generator.sample(seed)
            val milliseconds = (System.nanoTime() - start) / 1e6
            // Small images stay crisp.
            picture.setImageDrawable(BitmapDrawable(resources, bitmap).apply { isFilterBitmap = false })
            picture.contentDescription = "Sample of seed $seed"
            caption.text = "Seed %d, %.1f ms on the %s".format(seed, milliseconds, generator.accelerator)
        }

        slider.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) = show(progress)
            override fun onStartTrackingTouch(bar: SeekBar) = Unit
            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
        next.setOnClickListener { slider.progress = (slider.progress + 1) % (slider.max + 1) }

        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            gravity = Gravity.CENTER
            fitsSystemWindows = true
            addView(picture, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
            listOf(caption, slider, next).forEach {
                addView(it, LinearLayout.LayoutParams.MATCH_PARENT, LinearLayout.LayoutParams.WRAP_CONTENT)
            }
        })
        show(slider.progress)
    }

    override fun onDestroy() {
        generator.close()
        super.onDestroy()
    }
}
